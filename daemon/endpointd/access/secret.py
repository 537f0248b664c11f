"""What a token's secret is, and what is kept of it. Pure, but for chance.

A secret is 256 bits by chance, so the hash is a quick one: a slow one makes up for what people choose, which can be
guessed; this cannot, and a slow hash would only let strangers keep the daemon busy.
"""

import hashlib
import hmac
import re
import secrets

_BYTES = 32
_SECRET = re.compile(r"endpointd_[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """`endpointd_` and 43 characters; by the beginning, programs that look for lost secrets know it."""
    return f"endpointd_{secrets.token_urlsafe(_BYTES)}"


def is_secret(text: str) -> bool:
    """Whether it may be the secret of a token. What is not need not be hashed."""
    return _SECRET.fullmatch(text) is not None


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Whether two hashes are equal, in a time that does not tell how much of them is."""
    return hmac.compare_digest(one, other)
