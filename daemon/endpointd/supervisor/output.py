"""A worker's standard output and error, line by line."""

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import cast

from endpointd.logs import logs

MAX_LINE = 16 * 1024
"""The longest line in bytes. A longer one is cut into several, so that a plugin that never ends its line does not use
up memory."""

TURN = 32
"""How many lines are processed in one turn of the event loop, at some 20 µs each, before other callbacks run."""

STEP = 4 * 1024
"""How many bytes are cut into lines in one turn, for the same reason: each may be the end of a line."""

LAST_WORDS = 0.5
"""Seconds to wait for the rest of a dead process's output. Without a limit, a child that it has left behind could keep
the pipe open for ever."""

PAUSE = 0.01
"""Seconds until it is checked again whether the log has caught up."""


class LineCutter:
    """Cuts a stream of bytes into lines. The result does not depend on how the bytes are divided among calls. Pure."""

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
        """The last line, if the stream has ended in the middle of one."""
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _cut(line: bytes) -> list[bytes]:
    pieces = []
    while len(line) > MAX_LINE:
        end = _end_of_character(line, MAX_LINE)
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]


def _end_of_character(line: bytes, most: int) -> int:
    """`most`, or up to three less if that would be within a UTF-8 character."""
    ends = (end for end in range(most, most - 4, -1) if line[end] & 0xC0 != 0x80)
    return next(ends, most)


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").removesuffix("\r")


class OutputReader(asyncio.Protocol):
    """Calls `take` for each line. `done` is set when all processes have closed the write end, and all lines were taken.

    While lines wait for their turn, or for the reader of the log, the pipe is not read. So a plugin that writes too
    fast has to wait, and it alone.
    """

    def __init__(self, take: Callable[[str], None]) -> None:
        self.done = asyncio.Event()
        self._take = take
        self._cutter = LineCutter()
        self._uncut = b""
        self._lines: deque[str] = deque()
        self._transport: asyncio.ReadTransport | None = None
        """None when the pipe is closed."""
        self._is_paused = False
        self._is_patient = True
        """Whether to wait for the reader of the log when the log is behind."""

    @classmethod
    async def attach(cls, fd: int, take: Callable[[str], None]) -> tuple["OutputReader", asyncio.ReadTransport]:
        """Start to read `fd`. Closing the returned transport closes it."""
        loop = asyncio.get_running_loop()
        transport, reader = await loop.connect_read_pipe(lambda: cls(take), os.fdopen(fd, "rb", buffering=0))
        return reader, transport

    def hurry(self) -> None:
        """Called when the process has ended: no longer wait for the reader of the log. The rest of the output is
        short, and is to be logged before the end of the process."""
        self._is_patient = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's classes.
        self._transport = cast("asyncio.ReadTransport", transport)

    def data_received(self, data: bytes) -> None:
        is_waiting = self._is_waiting
        self._uncut += data
        if not is_waiting:
            self._take_turn()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        is_waiting = self._is_waiting
        self._transport = None
        if not is_waiting:
            self._take_turn()

    @property
    def _is_waiting(self) -> bool:
        """Whether data waits, so that a turn is scheduled."""
        return bool(self._uncut or self._lines)

    def _take_turn(self) -> None:
        if self._is_patient and logs.is_behind():
            self._let_wait(is_paused=True)
            asyncio.get_running_loop().call_later(PAUSE, self._take_turn)
            return
        if not self._lines:
            piece, self._uncut = self._uncut[:STEP], self._uncut[STEP:]
            self._lines += self._cutter.feed(piece)
        if self._transport is None and not self._uncut:
            self._lines += self._cutter.end()
        for _ in range(min(TURN, len(self._lines))):
            self._take(self._lines.popleft())
        if self._is_waiting:
            self._let_wait(is_paused=True)
            asyncio.get_running_loop().call_soon(self._take_turn)
        elif self._transport is None:
            self.done.set()
        else:
            self._let_wait(is_paused=False)

    def _let_wait(self, *, is_paused: bool) -> None:
        """Pause or resume reading. While it is paused, writers have to wait as soon as the pipe is full."""
        if self._transport is None or self._transport.is_closing() or self._is_paused == is_paused:
            return
        self._is_paused = is_paused
        if is_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
