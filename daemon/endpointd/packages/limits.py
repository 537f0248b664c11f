"""How large a package may be. Pure."""

from dataclasses import dataclass

MAX_FILES = 10_000
"""The largest known package has 500."""

MAX_DIRECTORY = 4 * 1024 * 1024
"""Bytes of the list of files: 400 for each of `MAX_FILES`. It is read at once."""

MAX_RATIO = 100
"""How many times as large as the package its content may be: text is ten times as large, a bomb a thousand times."""

UNRATED = 1024 * 1024
"""Bytes of content that are fine however small the package is."""

DEFAULT_SIZE = 50 * 1024 * 1024
"""Dify's own limit."""


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """`size` are the bytes that a package may have, as a file and unpacked."""

    size: int = DEFAULT_SIZE
    files: int = MAX_FILES

    def unpacked(self, packed: int) -> int:
        """The bytes of content that may come out of a package of `packed` bytes."""
        return min(self.size, UNRATED + MAX_RATIO * packed)
