"""Reads a package from beginning to end: puts its files somewhere, and checks its signature."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from endpointd.packages.archive import Archive
from endpointd.packages.checksum import checksum_of
from endpointd.packages.limits import PackageLimits
from endpointd.packages.seal import MAX_STATEMENT, read_seal, read_statement
from endpointd.packages.trust import Signer, Trust, judge


class Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


@dataclass(frozen=True, slots=True)
class Received:
    """A package that was read. `files` are the paths in the order of the archive; `size` is the total size of the
    contents in bytes."""

    checksum: str
    files: tuple[str, ...]
    size: int
    trust: Trust


def receive(
    file: BinaryIO, limits: PackageLimits, signer: Signer, sink_for: Callable[[str], AbstractContextManager[Sink]]
) -> Received:
    """Read the package in `file`, and write the content of each path to the sink that `sink_for` returns. The package
    is read only once, so exactly the bytes that were written are those whose signature is checked. Raises
    `PackageError`."""
    archive = Archive(file, limits)
    size, last = 0, b""
    for name, pieces in archive.contents():
        last = b""
        with sink_for(name) as sink:
            for piece in pieces:
                size += len(piece)
                last += piece[: MAX_STATEMENT + 1 - len(last)]
                sink.write(piece)
    digests = archive.digests
    trust = judge(read_seal(archive.comment), read_statement(last), digests, signer)
    return Received(checksum_of(digests), tuple(archive.names), size, trust)


class _Nothing:
    def write(self, data: bytes, /) -> None: ...


def file_sinks(folder: Path, is_wanted: Callable[[str], bool]) -> Callable[[str], AbstractContextManager[Sink]]:
    """Sinks that are files below `folder`, which must be empty. As in Dify, they are never executable, whatever the
    package says. Paths for which `is_wanted` returns False are discarded."""

    def sink_for(name: str) -> AbstractContextManager[Sink]:
        if not is_wanted(name):
            return nullcontext(_Nothing())
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")

    return sink_for
