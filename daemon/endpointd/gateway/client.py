"""The client of one request: its connection, as far as the gateway needs more of it than ASGI offers."""

import asyncio
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from endpointd.gateway.date import http_date
from endpointd.gateway.heads import ResponseHead
from endpointd.transports import reset, unsent, write, write_at_once

UNREAD = 256 * 1024
"""Bytes of a request's body that nobody has taken, from which on the client is not read from. More than uvloop reads at
once: to stop after each reading, and to go on, are system calls as well."""


def _nothing() -> None:
    """What is left to do for an answer that is complete."""


class Client:
    """Where one answer goes; an application finds it as `scope["endpointd.client"]`.

    An answer is written by `begin`, `put` and, for what is to leave now, `flush`. Until then it waits here, so that a
    head and its body, and pieces that are there together, leave in one system call.
    """

    __slots__ = ("_cycle", "_is_chunked", "_parts", "_pieces", "_transport", "_unread", "gone", "held", "on_gone")

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self.gone = False
        self.on_gone: Callable[[], None] | None = None
        self.held = 0
        """Bytes of body that wait for `flush`."""
        self._transport = transport
        self._cycle = cycle
        self._is_chunked = False
        self._parts: list[bytes | memoryview] = []
        self._pieces: list[bytes] = []
        self._unread = 0

    def abort(self) -> None:
        """Break the connection in a way that no client can take for the end of an answer."""
        self._cycle.disconnected = True
        reset(self._transport)

    def unsent(self) -> int:
        """Bytes that were given to this connection and have not reached the client's system."""
        return unsent(self._transport)

    @property
    def method(self) -> str:
        return self._cycle.scope["method"]

    # The request's body

    def has_input(self) -> bool:
        """Whether the next `receive` returns at once."""
        return self._cycle.message_event.is_set()

    def hear(self, piece: bytes) -> None:
        """A piece has come. No more is read from the connection than one reading beyond `UNREAD`."""
        self._pieces.append(piece)
        self._unread += len(piece)
        if self._unread > UNREAD:
            self._cycle.flow.pause_reading()
        self._cycle.message_event.set()

    async def receive(self) -> tuple[bytes, bool] | None:
        """What has come since the last call, and whether more may follow; None when nothing will. Waits for either."""
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
        """The request's body, when all of it is here and the client waits for nothing but the answer. It stays here
        until `body_taken`."""
        cycle = self._cycle
        if cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected:
            return None
        if len(self._pieces) > 1:
            self._pieces = [self._take()]
        return self._pieces[0] if self._pieces else b""

    def body_taken(self) -> None:
        """Keep it no longer, and hear again when the client leaves."""
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
        """Whether what is written now need not wait: the connection is neither congested nor at its end."""
        cycle = self._cycle
        return not (cycle.flow.write_paused or cycle.disconnected or self._transport.is_closing())

    @property
    def has_room(self) -> bool:
        """Whether the connection is not congested; it is not when it is gone, either."""
        return not self._cycle.flow.write_paused or self._cycle.disconnected

    async def room(self) -> None:
        """Wait until the connection is not congested."""
        if not self.has_room:
            self.flush()
            await self._cycle.flow.drain()

    def close_behind(self) -> None:
        """The answer that is to begin is the connection's last one."""
        self._cycle.keep_alive = False

    def begin(self, status: int, head: ResponseHead, *, by_closing: bool = False) -> None:
        """Write the head. Of a body without a length, the end is that of the connection (HTTP/1.0) when
        `by_closing`, and else that of its chunks (RFC 9112 §6.3)."""
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
        """Write a piece of the body; with the `last` one, all of the answer leaves, as with `settle`."""
        if body:
            self.held += len(body)
            self._parts += (b"%x\r\n" % len(body), body, b"\r\n") if self._is_chunked else (body,)
        if last:
            self.settle()

    def settle(self) -> None:
        """The body is complete: all of the answer leaves."""
        if self._is_chunked:
            self._parts.append(b"0\r\n\r\n")
        self.flush()
        self._complete()

    def put_at_once(self, body: memoryview) -> None:
        """Write a piece of the body that is not to be kept, and all that waits before it."""
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
        # Where the client still sends, the connection sees to its end.
        if not (cycle.keep_alive or cycle.more_body):
            self._transport.close()
        # Let go of the connection, as uvicorn does when the application returns.
        finished, cycle.on_response = cycle.on_response, _nothing
        finished()

    def leave(self) -> None:
        """The client is gone, or is treated as if it were."""
        self.gone = True
        self._cycle.disconnected = True
        self._cycle.message_event.set()
        if self.on_gone is not None:
            self.on_gone()
