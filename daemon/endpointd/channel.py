"""The host's end of the wire to one worker, as an asyncio protocol.

Turns bytes into messages and hands each to whom it concerns: to its exchange, or to the owner. Frames made in one turn
of the event loop leave in few system calls: waking the worker is the dearest thing that the host does for a request.
"""

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import cast

import structlog

from endpointd.exchange import Answer, Exchange, Settler, WorkerGone
from endpointd.memory import share
from endpointd.transports import write
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

MAX_GATHERED = 3
"""How many wait for another request at most, with which they leave. If more did, the worker would come to the end of
what it has meanwhile; if fewer did, it would be woken more often."""

log = structlog.get_logger()


class Channel(asyncio.BufferedProtocol):
    """`control` gets every message that belongs to no exchange; `lost` is called once, when the wire is closed.

    `freed` is called when places at the worker are free again: once for all whose news have come together. `cancelled`
    is called for each exchange that the worker was told to give up.
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
        """Whether places became free that nobody was told of."""
        self._unsent: list[bytes] = []
        self._memory: RingReader | None = None
        self._fed: dict[Settler, None] = {}
        """Who was given some of what has come together, and may be given more of it. In their order."""
        self._is_handing_out = False
        self._transport: asyncio.Transport | None = None

    def share_memory(self, wire: socket.socket) -> None:
        """Share memory with the worker, over the wire that this is about to be given. Raises `OSError`."""
        self._memory = share(wire, self.connection.send(Memory()))

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def open(self, make: Callable[[int], Request]) -> Exchange:
        """Send the request that `make` builds for a new stream id. Raises `LocalWireError` when it is too large."""
        stream = self.connection.next_stream()
        # The less a worker has to do, the sooner it is given more: when it has nothing, at once.
        gathered = len(self._unsent)
        at_worker = len(self.exchanges) - gathered
        self.send(make(stream), at_once=gathered >= min(MAX_GATHERED, at_worker))
        exchange = self.exchanges[stream] = Exchange(self, stream)
        return exchange

    def trace_of(self, stream: int) -> object:
        """What the calls of a request are a part of; None when nothing is known."""
        return getattr(self.exchanges.get(stream), "trace", None)

    def cancel(self, exchange: Exchange, reason: str) -> None:
        self.send(Cancel(exchange.stream, reason))
        self._cancelled(exchange)

    def send(self, message: Message, *, at_once: bool = False) -> None:
        """Send `message` at the end of this turn of the event loop, or `at_once`, with all that was to leave then.
        Nothing happens when the wire is closed already."""
        if not self.is_open:
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
        # uvloop's transports are of no class of asyncio's.
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
        """All is handed out that has come together. First the worker is given more to do, then clients are written to:
        one after the other, so that whoever reads them need not be woken for each."""
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
            # A defect here is to be the end of this one alone.
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
        """Take a piece out of the memory, now: what comes later may stand in the same place."""
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
        # What holds a descriptor is not left to the garbage collector.
        self._memory = None
        # The reason follows when the process's exit status is known; requests do not wait for it.
        # Clients may see it, so the bytes that broke the protocol are for the log alone.
        reason = self._fault.reason if self._fault is not None else "the worker process is gone"
        exchanges, self.exchanges = self.exchanges, {}
        for exchange in exchanges.values():
            exchange.end()
            exchange.deliver(WorkerGone(reason))
        if exchanges:
            self._freed()
        self._lost(self._fault)
