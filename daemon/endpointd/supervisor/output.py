"""A worker's standard output and error, line by line."""

import asyncio
import os
from collections.abc import Callable

MAX_LINE = 16 * 1024
"""Bytes; a longer line is cut into several, so that a plugin that never ends its line costs no memory."""


class LineCutter:
    """Bytes in, lines out; which lines does not depend on how the bytes are delivered. Pure."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        """The lines that `data` completes, without their ends."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        pieces = [piece for line in lines for piece in _cut(line)]
        if len(self._rest) > MAX_LINE:
            *begun, self._rest = _cut(self._rest)
            pieces += begun
        return [_text(piece) for piece in pieces]

    def end(self) -> list[str]:
        """What is left when the stream ends in the middle of a line."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _cut(line: bytes) -> list[bytes]:
    return [line[start : start + MAX_LINE] for start in range(0, len(line), MAX_LINE)] or [line]


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").removesuffix("\r")


class OutputReader(asyncio.Protocol):
    """Calls `take` for each line; `done` is set when every process that could write has closed its end."""

    def __init__(self, take: Callable[[str], None]) -> None:
        self.done = asyncio.Event()
        self._take = take
        self._cutter = LineCutter()

    @classmethod
    async def attach(cls, fd: int, take: Callable[[str], None]) -> tuple["OutputReader", asyncio.ReadTransport]:
        """Read `fd`, which is closed with the transport."""
        loop = asyncio.get_running_loop()
        transport, reader = await loop.connect_read_pipe(lambda: cls(take), os.fdopen(fd, "rb", buffering=0))
        return reader, transport

    def data_received(self, data: bytes) -> None:
        for line in self._cutter.feed(data):
            self._take(line)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        for line in self._cutter.end():
            self._take(line)
        self.done.set()
