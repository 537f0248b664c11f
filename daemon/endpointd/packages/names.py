"""Which names the files of a package may have. Pure.

A name has to mean the same to everybody: to whoever reads the list, to any file system, to the program that unpacks
and to the one that has signed. So what only looks the same as another, or is another's folder, is refused.
"""

import unicodedata
from collections.abc import Iterable

from endpointd.packages.errors import unsafe

MAX_NAME = 1024
"""Bytes of a whole path. The longest known has 120; Linux takes 4096, and the folder's own path comes before it."""

MAX_PART = 255
"""Bytes of a file's or a folder's own name: what file systems take."""

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, marks that turn the direction of writing, halves of characters, line ends."""


def check_names(names: Iterable[str]) -> None:
    """Raises `PackageError` for the first name that may not be there, or not beside the others."""
    seen = _Seen()
    for name in names:
        why = fault_of(name)
        if why is not None:
            raise unsafe(name, why)
        seen.add(name)


def fault_of(name: str) -> str | None:
    """What is wrong with the name by itself."""
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
    """Names so far, by how a file system might see them that tells neither case nor ways of writing apart."""

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
    """The folders that a file lies in, the innermost first."""
    folders = []
    while "/" in name:
        name = name.rpartition("/")[0]
        folders.append(name)
    return folders
