"""One request at one worker, from the host's side: what comes of its answer, and who is told of it.

What has come waits here until it is asked for (`next`). When somebody is ready for a piece in the moment in which it
comes (`Taker`) it need not wait: to wake a task for every piece takes longer than all else that is done with most.
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


class Wire(Protocol):
    """What an exchange needs of the channel."""

    loop: asyncio.AbstractEventLoop
    connection: Connection

    @property
    def is_open(self) -> bool: ...
    def send(self, message: Message, *, at_once: bool = False) -> None: ...
    def cancel(self, exchange: "Exchange", reason: str) -> None: ...
    def feed(self, settler: "Settler") -> None:
        """Call `settle` when all is handed out that has come together."""


class Settler(Protocol):
    """Who has something to do when all is handed out that has come together."""

    def settle(self) -> None:
        """Nothing more has come together with what this was told of."""


class Taker(Settler, Protocol):
    """Who is ready for the next piece of an answer."""

    def take(self, body: bytes | memoryview) -> bool:
        """Do with a piece, after which more may follow, all that there is to be done with it. False, and nothing has
        happened, when it has to wait. What a view shows is there no longer than this takes."""


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
    """What its session calls are a part of; there only when there is tracing."""

    def __init__(self, channel: Wire, stream: int) -> None:
        self.stream = stream
        self.request = self.interface = ""
        """Which it is, for the log: its id, and the interface that it is for, as it stands in the log of requests."""
        self.is_over = False
        """Whether the worker's thread is free again."""
        self.is_cancelled = False
        self.grace: asyncio.TimerHandle | None = None
        """What looks whether a cancelled one is over by then; it goes with the exchange, which it keeps in memory."""
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
        """Have `heard` called when the first message is there, which `first` shows and `next` returns."""
        if self._events:
            heard()
        else:
            self._heard = heard

    def first(self) -> Answer | ExchangeError:
        """The message that comes next, which is there already."""
        return self._events[0]

    def settle_later(self, settler: Settler) -> None:
        """Have `settle` called when all is handed out that has come together with what is being handed out."""
        self._channel.feed(settler)

    @property
    def has_next(self) -> bool:
        """Whether `next` returns, or raises, at once."""
        return bool(self._events)

    async def next(self, taker: Taker | None = None) -> Answer:
        """The worker's next message. Raises `ExchangeError` when there will be none.

        While it is waited for, pieces go to `taker`, so that what returns is one which that has not taken, or no piece.
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
        """Whether somebody has taken a piece that has come, after which more may follow."""
        taker = self._taker
        # Nothing overtakes what waits.
        if taker is None or self._events or self.is_cancelled or not taker.take(body):
            return False
        self._channel.feed(taker)
        return True

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
