"""The format of a package's signature. Pure.

It is Dify's format: the zip's comment is a JSON object with the signature and its time. The signed text consists of the
SHA-256 of the contents, in the order of the archive, followed by the time. It does not cover names: the files could be
renamed and the signature would still be valid. Therefore `endpointd sign` adds the checksum of the other files, which
covers their names, to the signed file `VERIFICATION`. Because the order is signed, that file is always the last one,
even if it was renamed.
"""

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from endpointd.packages.checksum import checksum_of

VERIFICATION = ".verification.dify.json"
"""The file that signing adds, as the last one."""

MAX_STATEMENT = 4096
"""The largest size of that file, and of the zip's comment, in bytes. Each has one line."""

_CATEGORY = "authorized_category"
_CHECKSUM = "checksum"


@dataclass(frozen=True, slots=True)
class Seal:
    """A signature, and when it was made, in seconds since the epoch."""

    signature: bytes
    time: int


@dataclass(frozen=True, slots=True)
class Statement:
    """The content of `VERIFICATION`. `checksum` is None if another program than endpointd has signed."""

    category: str | None
    checksum: str | None


def read_seal(comment: bytes) -> Seal | None:
    """The signature in a zip's comment; None if there is none."""
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
    """The text that is signed. `digests` must be in the order of the archive."""
    return b"".join(digest for _, digest in digests) + str(time).encode()


def read_statement(last: bytes) -> Statement:
    """Parse the last file of a signed package, whatever its name. Never raises."""
    document = _object(last)
    category, checksum = document.get(_CATEGORY), document.get(_CHECKSUM)
    return Statement(category if isinstance(category, str) else None, checksum if isinstance(checksum, str) else None)


def write_statement(category: str, digests: Sequence[tuple[str, bytes]]) -> bytes:
    """The content of `VERIFICATION`, for a package whose other files have these digests."""
    return json.dumps({_CATEGORY: category, _CHECKSUM: checksum_of(digests)}).encode()


def has_names_as_signed(statement: Statement, digests: Sequence[tuple[str, bytes]]) -> bool | None:
    """Whether the files still have the names that they had when they were signed; None if the signature does not cover
    names."""
    if statement.checksum is None:
        return None
    return digests[-1][0] == VERIFICATION and statement.checksum == checksum_of(digests[:-1])


def _object(text: bytes) -> dict[str, Any]:
    try:
        document = json.loads(text) if len(text) <= MAX_STATEMENT else None
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}
