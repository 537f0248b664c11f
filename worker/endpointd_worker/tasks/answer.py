"""Sends a werkzeug response from a task: its head, then each piece of its body as soon as it is produced."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from werkzeug.wrappers import Response

from endpointd_worker.answer import BadAnswer, close, encode_headers, explain, has_body, is_async, read, to_bytes
from endpointd_worker.streams import FLUSH_SIZE, Stream, cut
from endpointd_worker.tasks.waiter import Waiter

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


class TaskAnswer:
    """Sends the answer of one stream. `in_thread` is used for a response whose body is an iterable that may block."""

    def __init__(
        self, stream: Stream, waiter: Waiter, in_thread: Callable[[Response, "WSGIEnvironment"], Awaitable[None]]
    ) -> None:
        self._stream = stream
        self._waiter = waiter
        self._in_thread = in_thread
        self._since_turn = 0
        """Bytes written since the loop could last run another task."""

    async def send(self, response: object, environ: "WSGIEnvironment") -> None:
        """Send all of `response`, which is what the plugin has returned, and close it in any case.

        Raises `BadAnswer`, `Cancelled`, `CancelledError`, and whatever the plugin's iterable raises.
        """
        if not isinstance(response, Response):
            raise BadAnswer(explain(response))
        if is_async(response):
            await self._send_async(response, environ)
        elif has_body(response, environ) and not isinstance(response.response, list | tuple):
            await self._in_thread(response, environ)
        else:
            await self._send_whole(response, environ)

    async def _send_whole(self, response: Response, environ: "WSGIEnvironment") -> None:
        """Send a response whose body is a list, or which has none."""
        try:
            chunks, headers = read(response, environ)
        except BaseException:
            response.close()
            raise
        try:
            self._stream.start_answer(response.status_code, encode_headers(headers))
            for chunk in chunks:
                await self._write(chunk)
            self._stream.end_body()
        finally:
            close(response, chunks)

    async def _send_async(self, response: Response, environ: "WSGIEnvironment") -> None:
        """Send a response whose body is an async iterable."""
        chunks: AsyncIterator[object] | None = None
        try:
            chunks = aiter(cast("AsyncIterable[object]", response.response))
            headers = response.get_wsgi_headers(environ).to_wsgi_list()
            self._stream.start_answer(response.status_code, encode_headers(headers))
            if has_body(response, environ):
                async for chunk in chunks:
                    await self._write(chunk)
            self._stream.end_body()
        finally:
            try:
                await _close_async(chunks)
            finally:
                response.close()

    async def _write(self, chunk: object) -> None:
        data = chunk if type(chunk) is bytes else to_bytes(chunk)
        stream = self._stream
        if not data:
            stream.check()
        for piece in cut(data):
            while not stream.try_piece(piece):
                await self._waiter.news()
        self._since_turn += len(data)
        if self._since_turn >= FLUSH_SIZE:
            self._since_turn = 0
            await asyncio.sleep(0)


async def _close_async(chunks: Any) -> None:  # noqa: ANN401 - the plugin's
    """Close an async iterator if it can be closed; not every one is a generator."""
    aclose = getattr(chunks, "aclose", None)
    if aclose is not None:
        await aclose()
