"""The checksum of a package and the identity that it is part of, as Dify computes them. Pure."""

import hashlib
from collections.abc import Iterable
from typing import TypeAlias

Digests: TypeAlias = Iterable[tuple[str, bytes]]
"""Of each file its path and the SHA-256 of its content."""


def checksum_of(files: Digests) -> str:
    """64 hexadecimal digits that stand for all paths and contents. Neither the order of the files nor a signature
    counts, but the file that a signature adds does."""
    whole = hashlib.sha256()
    for path, content in sorted((path.encode(), content) for path, content in files):
        whole.update(hashlib.sha256(path).digest() + content)
    return whole.hexdigest()


def identifier_of(identity: str, checksum: str) -> str:
    """`author/name:version@checksum`; the identity is what comes before the "@"."""
    return f"{identity}@{checksum}"
