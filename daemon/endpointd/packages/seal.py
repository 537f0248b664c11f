"""A package's signature: where it stands, what it signs, and what is said beside it. Pure.

The format is Dify's: the zip's comment is a JSON object with the signature and its time, and signed are the contents'
SHA-256 in the order of the archive with the time behind them. Names are not: files could change places and the
signature would still be good. So `endpointd sign` says in the signed file `VERIFICATION` besides which checksum the
others had, which covers names. As the order is signed, that file is the last one whatever somebody calls it.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from endpointd.packages.checksum import checksum_of

VERIFICATION = ".verification.dify.json"
"""The file that a signature adds, as the last one."""

MAX_STATEMENT = 4096
"""Bytes. It has one line."""

_CATEGORY = "authorized_category"
_CHECKSUM = "checksum"


@dataclass(frozen=True, slots=True)
class Seal:
    """`time` is in seconds since the epoch."""

    signature: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What a signed package says of itself. `checksum` is None where another program has signed."""

    category: str | None
    checksum: str | None


def read_seal(comment: bytes) -> Seal | None:
    """The signature in a zip's comment, if there is one there."""
    document = _object(comment)
    signature, time = document.get("signature"), document.get("time")
    if not isinstance(signature, str) or not isinstance(time, int) or isinstance(time, bool) or time < 0:
        return None
    try:
        return Seal(base64.b64decode(signature, validate=True), time)
    except (binascii.Error, ValueError):
        return None


def write_seal(seal: Seal) -> bytes:
    return json.dumps({"signature": base64.b64encode(seal.signature).decode(), "time": seal.time}).encode()


def signed_text(digests: Sequence[tuple[str, bytes]], time: int) -> bytes:
    """What is signed: `digests` are in the order of the archive."""
    return b"".join(digest for _, digest in digests) + str(time).encode()


def read_statement(last: bytes) -> Statement:
    """What the last file of a signed package says, whatever its name."""
    document = _object(last)
    category, checksum = document.get(_CATEGORY), document.get(_CHECKSUM)
    return Statement(category if isinstance(category, str) else None, checksum if isinstance(checksum, str) else None)


def write_statement(category: str, digests: Sequence[tuple[str, bytes]]) -> bytes:
    """For a package with these other files."""
    return json.dumps({_CATEGORY: category, _CHECKSUM: checksum_of(digests)}).encode()


def has_names_as_signed(statement: Statement, digests: Sequence[tuple[str, bytes]]) -> bool | None:
    """None where the signature does not cover names."""
    if statement.checksum is None:
        return None
    return digests[-1][0] == VERIFICATION and statement.checksum == checksum_of(digests[:-1])


def _object(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text) if len(text) <= MAX_STATEMENT else None
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
