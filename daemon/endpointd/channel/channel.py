"""The host's end of the wire to one worker, as an asyncio protocol.

Decodes bytes into messages and hands each to its exchange, or to the channel's owner. Frames that are sent within one
turn of the event loop are written together in few system calls, because waking the worker is the most expensive thing
that the host does for a request.

A batch, here and in `exchange`, is all messages that were read from the wire at once.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import cast

import structlog

from endpointd.channel.exchange import Answer, Exchange, Settler, WorkerGone
from endpointd.channel.memory import share
from endpointd.sockets.transports import write
from endpointd_wire.connection import Connection, Role
from endpointd_wire.errors import RemoteWireError
from endpointd_wire.memory import RingReader
from endpointd_wire.messages import (
    Cancel,
    Closed,
    Credit,
    Data,
    End,
    Failed,
    Memory,
    Message,
    Request,
    Response,
    Stored,
)
from endpointd_wire.states import Phase

MAX_GATHERED = 3
"""The highest number of frames that are held back to be written together with the next request. If it were higher, the
worker could run out of work meanwhile; if it were lower, the worker would be woken more often."""

log = structlog.get_logger()


class Channel(asyncio.BufferedProtocol):
    """`control` is called with every message that belongs to no exchange. `freed` is called when places at the worker
    have become free, once for a batch. `cancelled` is called with each exchange that the worker was told to cancel.
    `lost` is called once, when the wire is closed, with the error if the worker broke the protocol.
    """

    def __init__(
        self,
        control: Callable[[Message], None],
        freed: Callable[[], None],
        cancelled: Callable[[Exchange], None],
        lost: Callable[[RemoteWireError | None], None],
    ) -> None:
        self.connection = Connection(Role.HOST)
        self.loop = asyncio.get_running_loop()
        self.exchanges: dict[int, Exchange] = {}
        self._control = control
        self._freed = freed
        self._cancelled = cancelled
        self._lost = lost
        self._fault: RemoteWireError | None = None
        self._has_freed = False
        """Whether places became free since `freed` was last called."""
        self._unsent: list[bytes] = []
        self._memory: RingReader | None = None
        self._fed: dict[Settler, None] = {}
        """An ordered set of those whose `settle` is to be called at the end of the batch."""
        self._is_handing_out = False
        self._transport: asyncio.Transport | None = None

    def share_memory(self, wire: socket.socket) -> None:
        """Share memory with the worker. `wire` is the socket that this channel is about to be connected to. Raises
        `OSError`."""
        self._memory = share(wire, self.connection.send(Memory()))

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def open(self, make: Callable[[int], Request]) -> Exchange:
        """Send the request that `make` builds for a new stream id. Raises `LocalWireError` if it is too large."""
        stream = self.connection.next_stream()
        # The fewer requests the worker has, the sooner it is given more; if it has none, at once.
        gathered = len(self._unsent)
        at_worker = len(self.exchanges) - gathered
        self.send(make(stream), at_once=gathered >= min(MAX_GATHERED, at_worker))
        exchange = self.exchanges[stream] = Exchange(self, stream)
        return exchange

    def trace_of(self, stream: int) -> object:
        """The trace to which the session calls of the request on `stream` belong; None if there is none."""
        return getattr(self.exchanges.get(stream), "trace", None)

    def cancel(self, exchange: Exchange, reason: str) -> None:
        self.send(Cancel(exchange.stream, reason))
        self._cancelled(exchange)

    def send(self, message: Message, *, at_once: bool = False) -> None:
        """Send `message` at the end of this turn of the event loop, or now if `at_once`, together with all frames that
        are still unsent. Does nothing if the wire is closed, or if the worker has said its last word (`Drained`): that
        may have come in the batch that is being handed out, behind an answer for which there is still credit to
        return."""
        if not self.is_open or self.connection.phase is Phase.ENDED:
            return
        if not (self._unsent or at_once):
            self.loop.call_soon(self._flush)
        self._unsent += self.connection.send(message)
        if at_once:
            self._flush()

    def _flush(self) -> None:
        unsent, self._unsent = self._unsent, []
        if unsent and self._transport is not None and self.is_open:
            write(self._transport, unsent, sum(map(len, unsent)))

    def feed(self, settler: Settler) -> None:
        if self._is_handing_out:
            self._fed[settler] = None
        else:
            settler.settle()

    def close(self) -> None:
        self._memory = None
        if self._transport is not None:
            self._transport.abort()

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not inherit from asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        return self.connection.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        self._is_handing_out = True
        try:
            self._hand_out(self.connection.received(nbytes))
        except RemoteWireError as error:
            self._fault = error
            self.close()
        finally:
            self._is_handing_out = False
            self._conclude()

    def _conclude(self) -> None:
        """Called at the end of a batch. First gives the worker more to do, then writes to the clients, one directly
        after the other, so that a process that reads several of these connections need not be woken for each."""
        try:
            if self._has_freed:
                self._has_freed = False
                self._freed()
            if self._unsent:
                self._flush()
        finally:
            if self._fed:
                self._settle()

    def _settle(self) -> None:
        fed, self._fed = self._fed, {}
        for settler in fed:
            try:
                settler.settle()
            # A bug must affect this one client only.
            except Exception:
                log.critical("channel.defect", exc_info=True)

    def _hand_out(self, messages: Iterable[Message]) -> None:
        for message in messages:
            kind = type(message)
            if kind is Response or kind is Data or kind is Closed or kind is Failed:
                self._deliver(message)  # type: ignore[arg-type]
            elif isinstance(message, Stored):
                self._fetch(message)
            elif isinstance(message, Credit):
                self.exchanges[message.stream].credited()
            else:
                self._control(message)

    def _fetch(self, message: Stored) -> None:
        """Take a piece of a body out of the shared memory. It cannot be left there, because its place is reused."""
        if self._memory is None:
            raise RemoteWireError("a piece was stored, and there is no memory")
        body = self._memory.view(message.position, message.size)
        if message.end != End.MORE or not self.exchanges[message.stream].offer(body):
            self._deliver(Data(message.stream, message.end, bytes(body)))
        self._memory.free(message.position + message.size)

    def _deliver(self, message: Answer) -> None:
        exchange = self.exchanges[message.stream]
        kind = type(message)
        if kind is Closed or kind is Failed or message.end == End.STREAM:  # type: ignore[union-attr]
            del self.exchanges[message.stream]
            exchange.end()
            self._has_freed = True
        exchange.deliver(message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.connection.close()
        # It holds a file descriptor, so it is not left to the garbage collector.
        self._memory = None
        # The exact cause is known when the process's exit status is; requests do not wait for that.
        # Clients may see the reason, so the bytes that broke the protocol are only logged.
        reason = self._fault.reason if self._fault is not None else "the worker process is gone"
        exchanges, self.exchanges = self.exchanges, {}
        for exchange in exchanges.values():
            exchange.end()
            exchange.deliver(WorkerGone(reason))
        if exchanges:
            self._freed()
        self._lost(self._fault)
