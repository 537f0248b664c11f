"""One request at one worker, from the host's side: queues the worker's messages and passes them on.

A message waits here until `next` is called. If a `Taker` is ready when a piece of the answer arrives, it gets the piece
directly: waking a task takes longer than everything else that is done with most pieces.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

from endpointd_wire.connection import Connection
from endpointd_wire.flow import CREDIT_STEP
from endpointd_wire.messages import Closed, Credit, Data, End, Failed, Message, Response

Answer: TypeAlias = Response | Data | Closed | Failed

CROWD = 64
"""The number of waiting messages from which on small pieces are joined. The flow-control window limits the bytes that
wait, but not the number of messages: a worker may send a million pieces of one byte, or of none."""

SMALL = 4096
"""The largest joined piece, in bytes. A larger piece of a request's body is sent at once."""


class ExchangeError(Exception):
    """Why an exchange cannot go on."""


class WorkerGone(ExchangeError):
    """The worker died or broke the protocol; the text says which."""


class ClientGone(ExchangeError):
    """The client has closed its connection."""


class ClockRanOut(ExchangeError):
    """One of the request's timeouts ran out; `clock` is the name of its setting."""

    def __init__(self, clock: str) -> None:
        super().__init__(clock)
        self.clock = clock


class Wire(Protocol):
    """The part of `Channel` that an exchange uses."""

    loop: asyncio.AbstractEventLoop
    connection: Connection

    @property
    def is_open(self) -> bool: ...
    def send(self, message: Message, *, at_once: bool = False) -> None: ...
    def cancel(self, exchange: "Exchange", reason: str) -> None: ...
    def feed(self, settler: "Settler") -> None:
        """Call `settle` at the end of the batch that is being handed out; now if there is none."""


class Settler(Protocol):
    """Something that is to be called at the end of a batch of messages."""

    def settle(self) -> None:
        """The batch is over: nothing more of it will follow."""


class Taker(Settler, Protocol):
    """Something that is ready for the next piece of an answer."""

    def take(self, body: bytes | memoryview) -> bool:
        """Process a piece, which is not the last one. Returns False, without having done anything, if the piece has to
        wait. The contents of a memoryview are valid during the call only."""


class Exchange:
    """One request at one worker, from the host's side. Made by `Channel.open`."""

    __slots__ = (
        "_channel",
        "_consumed",
        "_credit",
        "_events",
        "_heard",
        "_taker",
        "_waiter",
        "grace",
        "interface",
        "is_cancelled",
        "is_over",
        "loop",
        "request",
        "stream",
        "trace",
    )

    trace: object
    """The trace to which its session calls belong. Only set if tracing is on."""

    def __init__(self, channel: Wire, stream: int) -> None:
        self.stream = stream
        self.request = self.interface = ""
        """The request's id, and the name of its interface in the log of requests."""
        self.is_over = False
        """Whether the worker has finished the request, and its thread is free again."""
        self.is_cancelled = False
        self.grace: asyncio.TimerHandle | None = None
        """The timer that checks whether a cancelled exchange is over. It keeps the exchange in memory, so `end` cancels
        it."""
        self.loop = channel.loop
        self._channel = channel
        self._events: deque[Answer | ExchangeError] = deque()
        self._heard: Callable[[], None] | None = None
        self._taker: Taker | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._credit: asyncio.Future[None] | None = None
        self._consumed = 0

    # For the gateway

    def listen(self, heard: Callable[[], None]) -> None:
        """Call `heard` when the first message has arrived; now if it has already. `first` and `next` return it."""
        if self._events:
            heard()
        else:
            self._heard = heard

    def first(self) -> Answer | ExchangeError:
        """The next message, without removing it. It must have arrived already."""
        return self._events[0]

    def settle_later(self, settler: Settler) -> None:
        """Call `settle` at the end of the batch that is being handed out; now if there is none."""
        self._channel.feed(settler)

    @property
    def has_next(self) -> bool:
        """Whether `next` returns or raises without waiting."""
        return bool(self._events)

    async def next(self, taker: Taker | None = None) -> Answer:
        """Wait for the worker's next message. Raises `ExchangeError` if there will be none.

        While this waits, pieces are offered to `taker`; a piece that it takes is not returned.
        """
        self._taker = taker
        while not self._events:
            self._waiter = self.loop.create_future()
            await self._waiter
        self._taker = None
        event = self._events.popleft()
        if isinstance(event, ExchangeError):
            try:
                raise event
            finally:
                # Its traceback refers to this frame: that cycle would keep the rest of the answer in memory until the
                # next garbage collection.
                del event
        return event

    def consumed(self, size: int) -> None:
        """Note that `size` bytes of the answer were passed to the client's connection: the worker may send as many
        more."""
        self._consumed += size
        if self._consumed >= CREDIT_STEP and not self.is_over:
            # At once, so that the worker produces more while the rest of the batch is relayed.
            self._channel.send(Credit(self.stream, self._consumed), at_once=True)
            self._consumed = 0

    async def send_body(self, body: bytes, end: End) -> None:
        """Send a piece of the request's body, waiting for credit. Does nothing once the exchange is over."""
        connection = self._channel.connection
        while not self.is_over and self._channel.is_open and connection.window(self.stream) < len(body):
            self._credit = self.loop.create_future()
            await self._credit
        if not self.is_over and self._channel.is_open:
            # A large piece is worth a system call of its own: the worker processes it while the next one is read.
            self._channel.send(Data(self.stream, end, body), at_once=len(body) > SMALL)

    def cancel(self, reason: str) -> None:
        """Tell the worker that the answer is not wanted any more, and discard what has arrived of it. The exchange is
        over when the worker says so."""
        if not self.is_over and not self.is_cancelled and self._channel.is_open:
            self.is_cancelled = True
            self._events.clear()
            self._channel.cancel(self, reason)

    # For the channel, and for the code that watches timeouts and clients

    def deliver(self, event: Answer | ExchangeError) -> None:
        if self.is_cancelled and isinstance(event, Response | Data):
            if event.end != End.STREAM:
                return
            event = event._replace(body=b"")
        if self._taker is not None and type(event) is Data and event.end == End.MORE and self.offer(event.body):
            return
        if len(self._events) >= CROWD and self._join(event):
            return
        self._events.append(event)
        heard, self._heard = self._heard, None
        if heard is not None:
            heard()
        elif self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def offer(self, body: bytes | memoryview) -> bool:
        """Offer a piece, which is not the last one, to the taker. Returns whether it was taken."""
        taker = self._taker
        # A piece must not overtake messages that wait.
        if taker is None or self._events or self.is_cancelled or not taker.take(body):
            return False
        self._channel.feed(taker)
        return True

    def _join(self, event: Answer | ExchangeError) -> bool:
        """Append a piece to the last message that waits, if both are small pieces. Returns whether that was done."""
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
