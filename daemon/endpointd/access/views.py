"""A token as operators see it, which is without its secret. Pure."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TokenView:
    """Times are seconds since the epoch; a token whose `expires_at` is None is good until it is revoked."""

    id: str
    name: str
    created_at: float
    expires_at: float | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
