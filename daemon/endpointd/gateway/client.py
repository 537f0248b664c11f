"""The client of one request: reads the body from its connection, and writes the answer to it, without ASGI."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from endpointd.gateway.date import http_date
from endpointd.gateway.heads import ResponseHead
from endpointd.sockets.transports import reset, unsent, write, write_at_once

UNREAD = 256 * 1024
"""The number of unread bytes of a request's body above which reading from the connection is paused. It is more than
uvloop reads at once: otherwise reading would be paused and resumed, each with a system call, after every read."""


def _nothing() -> None:
    """Replaces the `on_response` callback of an answer that is complete."""


class Client:
    """The client's side of one request. An application finds it as `scope["endpointd.client"]`.

    An answer is written with `begin` and `put`. It is buffered here until `flush` is called or the answer is complete,
    so that a head and its body, and pieces that arrive together, are written in one system call.
    """

    __slots__ = ("_cycle", "_is_chunked", "_parts", "_pieces", "_transport", "_unread", "gone", "held", "on_gone")

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self.gone = False
        self.on_gone: Callable[[], None] | None = None
        self.held = 0
        """Bytes of the answer's body that are buffered until `flush`."""
        self._transport = transport
        self._cycle = cycle
        self._is_chunked = False
        self._parts: list[bytes | memoryview] = []
        self._pieces: list[bytes] = []
        self._unread = 0

    def abort(self) -> None:
        """Reset the connection, which no client can mistake for the end of an answer. Does nothing if the client has
        gone: it may be treated so because it was refused, and should be able to read that."""
        self._cycle.disconnected = True
        if not self.gone:
            reset(self._transport)

    def unsent(self) -> int:
        """Bytes that were written to this connection and have not reached the client's system."""
        return unsent(self._transport)

    @property
    def method(self) -> str:
        return self._cycle.scope["method"]

    # The request's body

    def has_input(self) -> bool:
        """Whether the next `receive` returns at once."""
        return self._cycle.message_event.is_set()

    def hear(self, piece: bytes) -> None:
        """Called with a piece that was received. Pauses reading when more than `UNREAD` bytes are unread."""
        self._pieces.append(piece)
        self._unread += len(piece)
        if self._unread > UNREAD:
            self._cycle.flow.pause_reading()
        self._cycle.message_event.set()

    async def receive(self) -> tuple[bytes, bool] | None:
        """Wait for more of the body. Returns all that has come since the last call, and whether more may follow; None
        if the client has disconnected or the answer is complete."""
        cycle = self._cycle
        if cycle.waiting_for_100_continue and not self._transport.is_closing():
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            cycle.waiting_for_100_continue = False
        if not (cycle.disconnected or cycle.response_complete):
            cycle.flow.resume_reading()
            await cycle.message_event.wait()
            cycle.message_event.clear()
        if cycle.disconnected or cycle.response_complete:
            return None
        return self._take(), cycle.more_body

    def whole_body(self) -> bytes | None:
        """The request's body, without removing it (see `body_taken`). None if it has not arrived completely, or the
        client is gone or waits for "100 Continue"."""
        cycle = self._cycle
        if cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected:
            return None
        if len(self._pieces) > 1:
            self._pieces = [self._take()]
        return self._pieces[0] if self._pieces else b""

    def body_taken(self) -> None:
        """Discard the body, and resume reading, so that a disconnection is noticed."""
        self._take()
        self._cycle.flow.resume_reading()

    def _take(self) -> bytes:
        pieces, self._pieces, self._unread = self._pieces, [], 0
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    @property
    def started(self) -> bool:
        return self._cycle.response_started

    @property
    def complete(self) -> bool:
        return self._cycle.response_complete

    # The answer

    @property
    def takes_all(self) -> bool:
        """Whether an answer can be written now: the connection is neither congested nor closed or closing."""
        cycle = self._cycle
        return not (cycle.flow.write_paused or cycle.disconnected or self._transport.is_closing())

    @property
    def has_room(self) -> bool:
        """Whether the connection is not congested. True as well if it is gone."""
        return not self._cycle.flow.write_paused or self._cycle.disconnected

    async def room(self) -> None:
        """Wait until the connection is not congested."""
        if not self.has_room:
            self.flush()
            await self._cycle.flow.drain()

    def close_behind(self) -> None:
        """Close the connection after the answer that is about to begin."""
        self._cycle.keep_alive = False

    def begin(self, status: int, head: ResponseHead, *, by_closing: bool = False) -> None:
        """Write the head. A body without a length ends with the connection if `by_closing` (HTTP/1.0); otherwise it is
        chunked (RFC 9112 §6.3)."""
        cycle = self._cycle
        self._parts += (STATUS_LINE[status], head.lines)
        if not head.has_date:
            self._parts += (b"date: ", http_date(), b"\r\n")
        if not cycle.keep_alive:
            self._parts.append(b"connection: close\r\n")
        if head.has_body and head.length is None and not by_closing:
            self._is_chunked = True
            self._parts.append(b"transfer-encoding: chunked\r\n")
        self._parts.append(b"\r\n")
        cycle.response_started = True
        cycle.waiting_for_100_continue = False

    def put(self, body: bytes | memoryview, *, last: bool) -> None:
        """Add a piece of the body to the buffer. With the `last` one, the answer is completed as by `settle`."""
        if body:
            self.held += len(body)
            self._parts += (b"%x\r\n" % len(body), body, b"\r\n") if self._is_chunked else (body,)
        if last:
            self.settle()

    def settle(self) -> None:
        """The body is complete: write everything out, and end the answer."""
        if self._is_chunked:
            self._parts.append(b"0\r\n\r\n")
        self.flush()
        self._complete()

    def put_at_once(self, body: memoryview) -> None:
        """Write a piece of the body out now, after everything that is buffered. `body` need not stay valid after the
        call."""
        self.put(body, last=False)
        parts, self._parts, self.held = self._parts, [], 0
        if not (self._cycle.disconnected or self._transport.is_closing()):
            write_at_once(self._transport, parts)

    def flush(self) -> None:
        parts = self._parts
        if parts and not self._cycle.disconnected:
            write(self._transport, parts, self.held)
        self._parts, self.held = [], 0

    def _complete(self) -> None:
        cycle = self._cycle
        if cycle.disconnected:
            return
        cycle.response_complete = True
        cycle.message_event.set()
        # If the client still sends its body, `ClientProtocol` closes the connection later.
        if not (cycle.keep_alive or cycle.more_body):
            self._transport.close()
        # Release the connection, as uvicorn does when the application returns.
        finished, cycle.on_response = cycle.on_response, _nothing
        finished()

    def leave(self) -> None:
        """Called when the client has disconnected, or is treated as if it had."""
        self.gone = True
        self._cycle.disconnected = True
        self._cycle.message_event.set()
        if self.on_gone is not None:
            self.on_gone()
