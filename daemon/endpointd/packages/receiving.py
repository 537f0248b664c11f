"""A package read from its first byte to its last: what it holds, and who has signed it."""

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
    """`files` are the paths in the order of the archive; `size` are the bytes of all contents."""

    checksum: str
    files: tuple[str, ...]
    size: int
    trust: Trust


def receive(
    file: BinaryIO, limits: PackageLimits, signer: Signer, sink_for: Callable[[str], AbstractContextManager[Sink]]
) -> Received:
    """Read the package in `file` once, and put the content of each path where `sink_for` says. What was judged is what
    was put there. Raises `PackageError`."""
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
    """Files below `folder`, which is empty. As Dify does it, they are not executable, whatever the package says."""

    def sink_for(name: str) -> AbstractContextManager[Sink]:
        if not is_wanted(name):
            return nullcontext(_Nothing())
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")

    return sink_for
