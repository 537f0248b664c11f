"""The client of one request: its connection, as far as the gateway needs more of it than ASGI offers."""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Callable

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from endpointd.gateway.date import http_date
from endpointd.gateway.heads import ResponseHead


def reset(transport: asyncio.Transport) -> None:
    """Break a connection: not even a client that takes its end for the end of the answer can mistake a reset."""
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def unsent(transport: asyncio.Transport) -> int:
    """Bytes that were given to a connection and have not reached the client's system."""
    raw = transport.get_extra_info("socket")
    size: int = transport.get_write_buffer_size()
    if raw is not None and raw.fileno() >= 0:
        size += struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return size


def _nothing() -> None:
    """What is left to do for an answer that is complete."""


class Client:
    """Where one answer goes; an application finds it as `scope["endpointd.client"]`."""

    __slots__ = ("_corked", "_cycle", "_transport", "gone", "on_gone")

    def __init__(self, transport: asyncio.Transport, cycle: RequestResponseCycle) -> None:
        self.gone = False
        self.on_gone: Callable[[], None] | None = None
        self._transport = transport
        self._cycle = cycle
        self._corked: list[bytes] | None = None
        # uvicorn writes an answer piece by piece; this object gathers the pieces.
        cycle.transport = self  # type: ignore[assignment]

    def abort(self) -> None:
        """Break the connection in a way that no client can take for the end of an answer."""
        self._cycle.disconnected = True
        reset(self._transport)

    def unsent(self) -> int:
        """Bytes that were given to this connection and have not reached the client's system."""
        return unsent(self._transport)

    def has_input(self) -> bool:
        """Whether the next `receive` returns at once."""
        return self._cycle.message_event.is_set()

    def release(self) -> None:
        """The answer is complete; nothing is to keep it in memory through this connection."""
        self._cycle.transport = self._transport

    def whole_body(self) -> bytes | None:
        """The request's body, when all of it is here and the client waits for nothing but the answer."""
        cycle = self._cycle
        if cycle.more_body or cycle.waiting_for_100_continue or cycle.disconnected:
            return None
        return bytes(cycle.body)

    def body_taken(self) -> None:
        """Keep it no longer, and hear again when the client leaves."""
        self._cycle.body = bytearray()
        self._cycle.flow.resume_reading()

    @property
    def started(self) -> bool:
        return self._cycle.response_started

    @property
    def complete(self) -> bool:
        return self._cycle.response_complete

    def answer(self, status: int, head: ResponseHead, body: bytes) -> bool:
        """Send a whole answer at once, as `cycle.send` would piece by piece. False, and nothing was sent, when the
        connection is congested or ends."""
        cycle = self._cycle
        if cycle.flow.write_paused or cycle.disconnected or self._transport.is_closing():
            return False
        lines = [STATUS_LINE[status], head.lines]
        if not head.has_date:
            lines += (b"date: ", http_date(), b"\r\n")
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        if not head.has_body:
            body = b""
        elif head.length is None:
            lines.append(b"transfer-encoding: chunked\r\n")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
        lines += (b"\r\n", body)
        cycle.response_started = True
        self._transport.write(b"".join(lines))
        cycle.response_complete = True
        if not cycle.keep_alive:
            self._transport.close()
        # Let go of the connection, as uvicorn does when the application returns.
        finished, cycle.on_response = cycle.on_response, _nothing
        finished()
        return True

    def end_by_closing(self) -> None:
        """Neither length nor chunks: the end of the connection is the end of the body (HTTP/1.0)."""
        self._cycle.chunked_encoding = False

    def allow(self, size: int) -> None:
        """Whatever the head says, `size` bytes of body follow now."""
        self._cycle.expected_content_length = size

    def leave(self) -> None:
        """The client is gone, or is treated as if it were."""
        self.gone = True
        self._cycle.disconnected = True
        self._cycle.message_event.set()
        if self.on_gone is not None:
            self.on_gone()

    # What uvicorn uses of a transport

    def write(self, data: bytes) -> None:
        if self._corked is None:
            self._transport.write(data)
        else:
            self._corked.append(data)

    def close(self) -> None:
        self.uncork()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def cork(self) -> None:
        """Gather what is written until `uncork`: a head and its body are to leave in one system call."""
        self._corked = []

    def uncork(self) -> None:
        if self._corked:
            self._transport.write(b"".join(self._corked))
        self._corked = None
