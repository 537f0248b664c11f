"""Checks the names (paths) of the files in a package. Pure.

A name must have the same meaning for people who read the list, for every file system, for the program that unpacks the
package and for the one that has signed it. Therefore a name is refused if it only looks the same as another one, or is
also the folder of another one.
"""

import unicodedata
from collections.abc import Iterable

from endpointd.packages.errors import unsafe

MAX_NAME = 1024
"""The longest path in bytes. The longest known one has 120. Linux allows 4096, including the path of the folder."""

MAX_PART = 255
"""The longest component of a path in bytes, as in most file systems."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that are refused: control and format characters (such as those that change the direction of text),
surrogates, private and unassigned characters, line and paragraph separators."""


def check_names(names: Iterable[str]) -> None:
    """Raise `PackageError` for the first name that is not allowed, or conflicts with one of those before it."""
    seen = _Seen()
    for name in names:
        why = fault_of(name)
        if why is not None:
            raise unsafe(name, why)
        seen.add(name)


def fault_of(name: str) -> str | None:
    """What is wrong with the name, without regard to the others; None if nothing is."""
    parts = name.split("/")
    if name.endswith("/"):
        return "is a folder: only files are in a package"
    if not name or name.startswith("/") or "" in parts or "." in parts:
        return "is no plain relative path"
    if ".." in parts:
        return "leaves the plugin's folder"
    if "\\" in name:
        return "has a backslash, which some take for the end of a folder's name"
    if any(unicodedata.category(character) in _INVISIBLE for character in name):
        return "has characters that cannot be seen"
    if len(name.encode()) > MAX_NAME or any(len(part.encode()) > MAX_PART for part in parts):
        return f"is longer than {MAX_NAME} bytes, or a part of it than {MAX_PART}"
    return None


class _Seen:
    """The names so far, normalized as in a file system that ignores case and Unicode normalization forms."""

    def __init__(self) -> None:
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def add(self, name: str) -> None:
        key = _folded(name)
        if key in self._files:
            raise unsafe(name, _twice(self._files[key], name))
        if key in self._folders:
            raise unsafe(name, f"is a file and a folder ({self._folders[key]!r}) at the same time")
        self._files[key] = name
        for folder in _folders_of(name):
            key = _folded(folder)
            if key in self._files:
                raise unsafe(name, f"lies below a file ({self._files[key]!r})")
            known = self._folders.setdefault(key, folder)
            if known != folder:
                raise unsafe(name, f"lies in a folder that differs only in its writing from {known!r}")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


def _twice(known: str, name: str) -> str:
    return "is there twice" if known == name else f"differs only in its writing from {known!r}"


def _folders_of(name: str) -> list[str]:
    """The parent folders of a file, the innermost first."""
    folders = []
    while "/" in name:
        name = name.rpartition("/")[0]
        folders.append(name)
    return folders
