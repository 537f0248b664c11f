"""Packages as they are written: the same files make the same bytes."""

import hashlib
import stat
import zipfile
from collections.abc import Iterable, Iterator
from typing import BinaryIO

LEVEL = 9
_BEGINNING = (1980, 1, 1, 0, 0, 0)
"""The first moment of zips. Times are no part of a plugin."""
_UNIX = 3
_MODE = stat.S_IFREG | 0o644


class Writer:
    """Of one package into `out`. The comment comes last."""

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
    """Every file but the one named `without`."""
    for name, pieces in contents:
        if name == without:
            for _ in pieces:
                pass
        else:
            writer.add(name, pieces)


__all__ = ["Writer", "copied"]
