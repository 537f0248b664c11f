"""The record of a token, which has only the hash of the token's secret. Pure."""

import re
from dataclasses import dataclass, field

_ID = re.compile(r"[0-9a-f]{32}")
_HASH = re.compile(r"[0-9a-f]{64}")
TOKEN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """One token. `hash` is hexadecimal; times are seconds since the epoch; a token without `expires_at` does not
    expire. The constructor raises ValueError for invalid fields."""

    id: str
    name: str
    hash: str = field(repr=False)
    created_at: float
    expires_at: float | None

    def __post_init__(self) -> None:
        if not (_ID.fullmatch(self.id) and _HASH.fullmatch(self.hash) and is_token_name(self.name)):
            raise ValueError("id, hash or name of a token is none")


def is_token_name(name: str) -> bool:
    """Whether the text is valid as a token's name: a word that needs no quotes in a shell."""
    return TOKEN_NAME.fullmatch(name) is not None
