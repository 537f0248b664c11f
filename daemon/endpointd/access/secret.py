"""The secret of a token, and the hash of it that is stored. Pure, except for random numbers.

A secret has 256 random bits and cannot be guessed, so a fast hash is sufficient. Slow hashes are for passwords chosen
by people; here one would only allow strangers to keep the daemon busy.
"""

import hashlib
import hmac
import re
import secrets

_BYTES = 32
_SECRET = re.compile(r"endpointd_[A-Za-z0-9_-]{43}")


def new_secret() -> str:
    """A new secret: `endpointd_` and 43 characters. Programs that search for leaked secrets recognise the prefix."""
    return f"endpointd_{secrets.token_urlsafe(_BYTES)}"


def is_secret(text: str) -> bool:
    """Whether the text has the form of a secret. If not, it need not be hashed."""
    return _SECRET.fullmatch(text) is not None


def hash_of(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Whether two hashes are equal, compared in constant time."""
    return hmac.compare_digest(one, other)
