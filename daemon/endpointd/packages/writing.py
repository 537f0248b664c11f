"""Writes packages. The same files always result in the same bytes."""

import hashlib
import stat
import zipfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO

LEVEL = 9
_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The modification time of every file: the earliest that zip files allow. Packages do not keep the real times."""
_UNIX = 3
_MODE = stat.S_IFREG | 0o644


class Writer:
    """Writes one package to `out`: call `add` for each file, then `finish`."""

    def __init__(self, out: BinaryIO) -> None:
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)
        self.digests: list[tuple[str, bytes]] = []

    def add(self, name: str, pieces: Iterable[bytes]) -> None:
        entry = zipfile.ZipInfo(name, _BEGINNING)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system = _UNIX
        entry.external_attr = _MODE << 16
        digest = hashlib.sha256()
        with self._zip.open(entry, "w") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
        self.digests.append((name, digest.digest()))

    def finish(self, comment: bytes = b"") -> None:
        self._zip.comment = comment
        self._zip.close()


def copied(contents: Iterable[tuple[str, Iterator[bytes]]], writer: Writer, without: str) -> None:
    """Copy every file but the one named `without` to `writer`."""
    for name, pieces in contents:
        if name == without:
            for _ in pieces:
                pass
        else:
            writer.add(name, pieces)


__all__ = ["Writer", "copied"]
