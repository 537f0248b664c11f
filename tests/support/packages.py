"""Packages and zips that pretend to be some."""

import io
import os
import stat
import zipfile
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from endpointd.packages.limits import PackageLimits
from endpointd.packages.making import make_package
from endpointd.packages.receiving import Received, receive

LIMITS = PackageLimits()


def package_of(folder: Path) -> bytes:
    out = io.BytesIO()
    make_package(folder, out, LIMITS)
    return out.getvalue()


def zipped(
    *files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED, comment: bytes = b""
) -> bytes:
    """A zip as Python makes it, with whatever names."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in files:
            made.writestr(name, content, method)
        made.comment = comment
    return out.getvalue()


def linked(name: str, to: str) -> tuple[zipfile.ZipInfo, bytes]:
    """A symbolic link, as Info-ZIP writes it."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info, to.encode()


class Unpacked:
    """What came out of a package: `files` by their names."""

    def __init__(self, package: bytes, limits: PackageLimits = LIMITS) -> None:
        self.sinks: dict[str, io.BytesIO] = {}
        self.received: Received = receive(io.BytesIO(package), limits, lambda *_: None, self._sink)

    def _sink(self, name: str) -> AbstractContextManager[io.BytesIO]:
        self.sinks[name] = io.BytesIO()
        return nullcontext(self.sinks[name])

    @property
    def files(self) -> dict[str, bytes]:
        return {name: sink.getvalue() for name, sink in self.sinks.items()}


def everything_below(folder: Path) -> set[str]:
    """The paths of all files."""
    return {os.path.relpath(os.path.join(place, name), folder) for place, _, names in os.walk(folder) for name in names}
