"""The request's body as an async endpoint sees it (`r.stream`)."""

import io
import sys
from collections.abc import AsyncIterator

from werkzeug.exceptions import ClientDisconnected

from endpointd_wire.flow import WINDOW
from endpointd_worker.calls import here
from endpointd_worker.native import RLock
from endpointd_worker.streams import Cancelled, Stream
from endpointd_worker.tasks.waiter import Waiter

AHEAD = WINDOW
"""A body of at most this many bytes is received completely before the plugin is called. It is the stream's window: the
host may send as much in any case, so this takes no additional memory."""

BUFFER = 64 * 1024
"""Bytes per piece when a body that is complete is iterated."""

WOULD_BLOCK = (
    "more of the request's body is still to come, and waiting for it here would stop every request of the plugin; write"
    " 'async for chunk in r.stream', or 'await asyncio.to_thread(r.get_data)'"
)


class WouldBlock(RuntimeError):
    """The plugin tried to read in the loop's thread, where it would have blocked."""


class WholeBody(io.BytesIO):
    """A body that is complete. It can also be read with `async for`, like one that is not."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := self.read(BUFFER):
            yield piece


class TaskBody(io.BufferedIOBase):
    """A body that is still coming. `async for` yields the pieces as they come.

    The blocking methods of a file work in other threads; in the loop's thread they raise `WouldBlock` until the body
    has come completely. They read nothing before they raise: otherwise a parser would lose what it has read, and one
    that then continues in a thread would take the rest for the whole body.
    """

    def __init__(self, stream: Stream, waiter: Waiter) -> None:
        self._stream = stream
        self._waiter = waiter
        self._held = bytearray()
        """Bytes that were taken from the stream and not read yet. Guarded by the link's lock, as the stream is."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := self._next_piece()) != b"":
            if piece is None:
                await self._waiter.news()
            else:
                yield piece

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        limit = _limit(size)
        with self._lock_to_wait():
            while len(self._held) < limit and self._hold_more():
                pass
            return self._take(limit)

    def read1(self, size: int = -1, /) -> bytes:
        limit = _limit(size)
        with self._lock_to_wait():
            if limit and not self._held:
                self._hold_more()
            return self._take(limit)

    def readline(self, size: int | None = -1, /) -> bytes:
        limit = _limit(size)
        searched = 0
        with self._lock_to_wait():
            while (end := self._held.find(b"\n", searched, limit)) < 0:
                searched = len(self._held)
                if searched >= limit or not self._hold_more():
                    return self._take(limit)
            return self._take(end + 1)

    def _next_piece(self) -> bytes | None:
        """The bytes that are there, b"" at the end, None if nothing has come."""
        with self._waiter.lock:
            return self._take(len(self._held)) if self._held else self._take_piece()

    def _lock_to_wait(self) -> RLock:
        """The lock, to be held while reading and waiting. Raises `WouldBlock` in the loop's thread if the body is not
        complete."""
        if here.is_loop and not self._stream.body_has_ended:
            raise WouldBlock(WOULD_BLOCK)
        return self._waiter.lock

    def _hold_more(self) -> bool:
        """Wait for the next piece and add it to `_held`; returns False at the end. The lock is held."""
        while (piece := self._take_piece()) is None:
            self._stream.wait()
        self._held += piece
        return bool(piece)

    def _take_piece(self) -> bytes | None:
        try:
            return self._stream.take_piece()
        except Cancelled as error:
            raise ClientDisconnected(str(error)) from None

    def _take(self, size: int) -> bytes:
        with memoryview(self._held) as held:
            taken = bytes(held[:size])
        del self._held[:size]
        return taken


def _limit(size: int | None) -> int:
    return sys.maxsize if size is None or size < 0 else size


async def open_body(stream: Stream, waiter: Waiter) -> io.BufferedIOBase:
    """The body of a stream. If its size is known and at most `AHEAD`, waits until it has come completely."""
    size = _announced(stream)
    if size is None or size > AHEAD:
        return TaskBody(stream, waiter)
    pieces: list[bytes] = []
    while True:
        while not stream.has_news:
            await waiter.news()
        piece = stream.read_piece()
        if not piece:
            return WholeBody(b"".join(pieces))
        pieces.append(piece)


def _announced(stream: Stream) -> int | None:
    """The size of the body, None if the client has not said it."""
    if stream.body_is_whole:
        return len(stream.request.body)
    for name, value in stream.request.headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return None
