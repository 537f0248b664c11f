"""A token as operators see it, which is without its secret. Pure."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenView:
    """A token, without its secret. Times are in seconds since the epoch. If `expires_at` is null, the token is valid
    until it is revoked."""

    id: str
    name: str
    created_at: float
    expires_at: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
