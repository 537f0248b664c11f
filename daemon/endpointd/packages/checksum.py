"""The checksum of a package, and the identifier that contains it, as Dify computes them. Pure."""

import hashlib
from collections.abc import Iterable
from typing import TypeAlias

Digests: TypeAlias = Iterable[tuple[str, bytes]]
"""The path of each file and the SHA-256 of its content."""


def checksum_of(files: Digests) -> str:
    """The checksum (64 hexadecimal digits) of all paths and contents. It does not depend on the order of the files or
    on the signature, but does depend on the file that signing adds."""
    whole = hashlib.sha256()
    for path, content in sorted((path.encode(), content) for path, content in files):
        whole.update(hashlib.sha256(path).digest() + content)
    return whole.hexdigest()


def identifier_of(identity: str, checksum: str) -> str:
    """`author/name:version@checksum`. `identity` is the part before the "@"."""
    return f"{identity}@{checksum}"
