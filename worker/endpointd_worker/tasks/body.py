"""The body of a request whose endpoint is a task."""

import io
from collections.abc import AsyncIterator, Callable

from endpointd_wire.flow import WINDOW
from endpointd_worker.body import RequestBody
from endpointd_worker.calls import here
from endpointd_worker.streams import Stream
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


class TaskBody(io.BufferedReader):
    """`async for` gives its pieces as they come. The methods of a file work in the loop's thread as long as they need
    not wait, and in any other."""

    def __init__(self, stream: Stream, waiter: Waiter) -> None:
        super().__init__(RequestBody(_reading(stream)), BUFFER)
        self._stream = stream
        self._waiter = waiter

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while not self._stream.has_news:
                await self._waiter.news()
            piece = self.read1(BUFFER)
            if not piece:
                return
            yield piece


def _reading(stream: Stream) -> Callable[[], bytes]:
    def read_piece() -> bytes:
        if here.is_loop and not stream.has_news:
            raise WouldBlock(WOULD_BLOCK)
        return stream.read_piece()

    return read_piece


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
            return io.BytesIO(b"".join(pieces))
        pieces.append(piece)


def _announced(stream: Stream) -> int | None:
    if stream.body_is_whole:
        return len(stream.request.body)
    for name, value in stream.request.headers:
        if name.lower() == b"content-length" and value.isdigit():
            return int(value)
    return None
