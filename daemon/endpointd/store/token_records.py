"""A token as it is kept: by the hash of its secret. Pure."""

import re
from dataclasses import dataclass, field

_ID = re.compile(r"[0-9a-f]{32}")
_HASH = re.compile(r"[0-9a-f]{64}")
TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """`hash` is hexadecimal, times are seconds since the epoch. ValueError: it cannot be one."""

    id: str
    name: str
    hash: str = field(repr=False)
    created_at: float
    expires_at: float | None

    def __post_init__(self) -> None:
        if not (_ID.fullmatch(self.id) and _HASH.fullmatch(self.hash) and is_token_name(self.name)):
            raise ValueError("id, hash or name of a token is none")


def is_token_name(name: str) -> bool:
    """Whether it is one word that can be written in every shell as it is."""
    return TOKEN_NAME.fullmatch(name) is not None
