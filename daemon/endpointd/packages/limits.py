"""The limits of the size of packages. Pure."""

from dataclasses import dataclass

MAX_FILES = 10_000
"""The largest number of files. The largest known package has 500."""

MAX_DIRECTORY = 4 * 1024 * 1024
"""The largest size of the list of files in bytes: 400 for each of `MAX_FILES`. The list is read as a whole."""

MAX_RATIO = 100
"""The largest ratio of the content's size to the package's. It is about ten for text, and a thousand for a zip bomb."""

UNRATED = 1024 * 1024
"""Bytes of content to which `MAX_RATIO` does not apply, so that a very small package is not refused."""

DEFAULT_SIZE = 50 * 1024 * 1024
"""Dify's own limit, in bytes."""


@dataclass(frozen=True, slots=True)
class PackageLimits:
    """`size` is the largest size in bytes, both of the package file and of its content. `files` is the largest number
    of files."""

    size: int = DEFAULT_SIZE
    files: int = MAX_FILES

    def unpacked(self, packed: int) -> int:
        """The largest size in bytes of the content of a package file of `packed` bytes."""
        return min(self.size, UNRATED + MAX_RATIO * packed)
