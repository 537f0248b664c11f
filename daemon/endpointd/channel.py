"""The host's end of the wire to one worker, as an asyncio protocol.

Turns bytes into messages and hands each to whom it concerns: to its exchange, or to the owner. Frames made in one turn
of the event loop leave in one system call: waking the worker is the dearest thing that the host does for a request.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import TypeAlias, cast

from endpointd.transports import write
from endpointd_wire.connection import Connection, Role
from endpointd_wire.errors import RemoteWireError
from endpointd_wire.flow import CREDIT_STEP
from endpointd_wire.messages import Cancel, Closed, Credit, Data, End, Failed, Message, Request, Response

Answer: TypeAlias = Response | Data | Closed | Failed

CROWD = 64
"""Messages that wait for a client, from which on small pieces are joined. The window bounds their bytes, and not how
many they are: a worker may send a million of one byte, or none."""

SMALL = 4096
"""Bytes of a joined piece."""


class ExchangeError(Exception):
    """Why an exchange cannot go on."""


class WorkerGone(ExchangeError):
    """The worker died or broke the protocol; the text says which."""


class ClientGone(ExchangeError):
    """The client has closed its connection."""


class ClockRanOut(ExchangeError):
    """A clock ran out; the text is its name."""

    def __init__(self, clock: str) -> None:
        super().__init__(clock)
        self.clock = clock


class Exchange:
    """One request at one worker, from the host's side. Made by `Channel.open`."""

    __slots__ = (
        "_channel",
        "_consumed",
        "_credit",
        "_events",
        "_heard",
        "_waiter",
        "grace",
        "is_cancelled",
        "is_over",
        "loop",
        "stream",
        "trace",
    )

    trace: object
    """What its session calls are a part of; there only when there is tracing."""

    def __init__(self, channel: "Channel", stream: int) -> None:
        self.stream = stream
        self.is_over = False
        """Whether the worker's thread is free again."""
        self.is_cancelled = False
        self.grace: asyncio.TimerHandle | None = None
        """What looks whether a cancelled one is over by then; it goes with the exchange, which it keeps in memory."""
        self.loop = channel.loop
        self._channel = channel
        self._events: deque[Answer | ExchangeError] = deque()
        self._heard: Callable[[], None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._credit: asyncio.Future[None] | None = None
        self._consumed = 0

    # For the gateway

    def listen(self, heard: Callable[[], None]) -> None:
        """Have `heard` called when the first message is there, which `first` shows and `next` returns."""
        if self._events:
            heard()
        else:
            self._heard = heard

    def first(self) -> Answer | ExchangeError:
        """The message that comes next, which is there already."""
        return self._events[0]

    @property
    def has_next(self) -> bool:
        """Whether `next` returns, or raises, at once."""
        return bool(self._events)

    async def next(self) -> Answer:
        """The worker's next message. Raises `ExchangeError` when there will be none."""
        while not self._events:
            self._waiter = self.loop.create_future()
            await self._waiter
        event = self._events.popleft()
        if isinstance(event, ExchangeError):
            try:
                raise event
            finally:
                # Its traceback leads here: what is left of the answer would stay until the garbage is collected.
                del event
        return event

    def consumed(self, size: int) -> None:
        """`size` bytes of the answer have reached the client's connection, so the worker may send as many more."""
        self._consumed += size
        if self._consumed >= CREDIT_STEP and not self.is_over:
            # What else has come is relayed in this same turn, and meanwhile the worker can make more.
            self._channel.send(Credit(self.stream, self._consumed), at_once=True)
            self._consumed = 0

    async def send_body(self, body: bytes, end: End) -> None:
        """Send a piece of the request's body, waiting for credit. Does nothing once the exchange is over."""
        connection = self._channel.connection
        while not self.is_over and self._channel.is_open and connection.window(self.stream) < len(body):
            self._credit = self.loop.create_future()
            await self._credit
        if not self.is_over and self._channel.is_open:
            # One that is worth a system call of its own gives the worker something to do while the next one is read.
            self._channel.send(Data(self.stream, end, body), at_once=len(body) > SMALL)

    def cancel(self, reason: str) -> None:
        """The answer is not wanted any more: nothing of it is kept. The exchange is over when the worker says so."""
        if not self.is_over and not self.is_cancelled and self._channel.is_open:
            self.is_cancelled = True
            self._events.clear()
            self._channel.cancel(self, reason)

    # For the channel, and for those who watch clocks and clients

    def deliver(self, event: Answer | ExchangeError) -> None:
        if self.is_cancelled and isinstance(event, Response | Data):
            if event.end != End.STREAM:
                return
            event = event._replace(body=b"")
        if len(self._events) >= CROWD and self._join(event):
            return
        self._events.append(event)
        heard, self._heard = self._heard, None
        if heard is not None:
            heard()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _join(self, event: Answer | ExchangeError) -> bool:
        """Whether what came is now a part of what came before it."""
        last = self._events[-1]
        if type(event) is not Data or type(last) is not Data or len(last.body) + len(event.body) > SMALL:
            return False
        self._events[-1] = Data(self.stream, event.end, last.body + event.body)
        return True

    def credited(self) -> None:
        if self._credit is not None and not self._credit.done():
            self._credit.set_result(None)

    def end(self) -> None:
        self.is_over = True
        self.credited()
        if self.grace is not None:
            self.grace.cancel()


class Channel(asyncio.BufferedProtocol):
    """`control` gets every message that belongs to no exchange; `lost` is called once, when the wire is closed.

    `over` is called for each exchange whose place at the worker is free again, `cancelled` for each that the worker was
    told to give up.
    """

    def __init__(
        self,
        control: Callable[[Message], None],
        over: Callable[[Exchange], None],
        cancelled: Callable[[Exchange], None],
        lost: Callable[[RemoteWireError | None], None],
    ) -> None:
        self.connection = Connection(Role.HOST)
        self.loop = asyncio.get_running_loop()
        self.exchanges: dict[int, Exchange] = {}
        self._control = control
        self._over = over
        self._cancelled = cancelled
        self._lost = lost
        self._fault: RemoteWireError | None = None
        self._unsent: list[bytes] = []
        self._transport: asyncio.Transport | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def open(self, make: Callable[[int], Request]) -> Exchange:
        """Send the request that `make` builds for a new stream id. Raises `LocalWireError` when it is too large."""
        stream = self.connection.next_stream()
        # A worker that has nothing to do need not wait for company.
        self.send(make(stream), at_once=not self.exchanges)
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

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # asyncio.BufferedProtocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        return self.connection.get_buffer()

    def buffer_updated(self, nbytes: int) -> None:
        try:
            messages = self.connection.received(nbytes)
        except RemoteWireError as error:
            self._fault = error
            self.close()
            return
        for message in messages:
            kind = type(message)
            if kind is Response or kind is Data or kind is Closed or kind is Failed:
                self._deliver(message)  # type: ignore[arg-type]
            elif isinstance(message, Credit):
                self.exchanges[message.stream].credited()
            else:
                self._control(message)

    def _deliver(self, message: Answer) -> None:
        exchange = self.exchanges[message.stream]
        kind = type(message)
        if kind is Closed or kind is Failed or message.end == End.STREAM:  # type: ignore[union-attr]
            del self.exchanges[message.stream]
            exchange.end()
            self._over(exchange)
        exchange.deliver(message)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self.connection.close()
        # The reason follows when the process's exit status is known; requests do not wait for it.
        # Clients may see it, so the bytes that broke the protocol are for the log alone.
        reason = self._fault.reason if self._fault is not None else "the worker process is gone"
        exchanges, self.exchanges = self.exchanges, {}
        for exchange in exchanges.values():
            exchange.end()
            exchange.deliver(WorkerGone(reason))
            self._over(exchange)
        self._lost(self._fault)
