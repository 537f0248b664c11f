"""The body of a request whose endpoint is a task."""

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
"""Bytes of body that are awaited before the plugin is asked: all that the host may send without being told that
something was read, so that it takes no memory which is not promised already."""

BUFFER = 64 * 1024

WOULD_BLOCK = (
    "more of the request's body is still to come, and waiting for it here would stop every request of the plugin; write"
    " 'async for chunk in r.stream', or 'await asyncio.to_thread(r.get_data)'"
)


class WouldBlock(RuntimeError):
    """Something was to wait in the thread of the loop."""


class WholeBody(io.BytesIO):
    """One that is all there, for those who read it as if it were not."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while piece := self.read(BUFFER):
            yield piece


class TaskBody(io.BufferedIOBase):
    """`async for` gives its pieces as they come. The methods of a file work in any thread but the loop's, and there
    when all of it has come.

    On the loop they take nothing before that: a parser that had got half of it would lose that half, and whoever reads
    on in a thread would take the rest for the whole.
    """

    def __init__(self, stream: Stream, waiter: Waiter) -> None:
        self._stream = stream
        self._waiter = waiter
        self._held = bytearray()
        """What was taken of the stream and is not read yet. Guarded by the link's lock, as the stream is."""

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
        """What is there, b"" at the end, None when nothing has come."""
        with self._waiter.lock:
            return self._take(len(self._held)) if self._held else self._take_piece()

    def _lock_to_wait(self) -> RLock:
        """The lock, for whoever may wait for more. Raises `WouldBlock`."""
        if here.is_loop and not self._stream.body_has_ended:
            raise WouldBlock(WOULD_BLOCK)
        return self._waiter.lock

    def _hold_more(self) -> bool:
        """Wait for the next piece, and hold it; False at the end. The lock is held."""
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
    """The body, all of which is there if it is one of at most `AHEAD` bytes that was announced."""
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
    if stream.body_is_whole:
        return len(stream.request.body)
    for name, value in stream.request.headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return None
