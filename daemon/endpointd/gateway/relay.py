"""One request through one worker: the body in, the answer out, the clocks, and what happens when one side goes.

The head of the answer decides what a failure looks like: before it has left, a failure is a `Problem`; afterwards the
client's connection is broken, because nothing else says that a body is not whole.
"""

from math import inf
from time import monotonic

import structlog

from endpointd.callers.cors import CorsHeaders
from endpointd.exchange import Answer, ClientGone, ClockRanOut, Exchange, ExchangeError
from endpointd.gateway.client import Client
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.failures import BodyTooLarge, BrokenAnswer, broken, problem_of
from endpointd.gateway.heads import BadHead, ResponseHead, check_response_head
from endpointd.gateway.limits import RelayLimits
from endpointd.gateway.visits import with_cors
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import Closed, End, Failed, Response

MOST_HELD = MAX_PIECE
"""Bytes of body that leave together when they have come together."""

log = structlog.get_logger()


class Relay:
    """`run` relays one exchange; `check` is called by the clocks, `client_gone` by the connection."""

    __slots__ = (
        "_answered",
        "_began",
        "_body_since",
        "_client",
        "_clock",
        "_clocks",
        "_exchange",
        "_filled",
        "_head_sent",
        "_heard",
        "_left",
        "_limit",
        "_limits",
        "_loop",
        "_method",
        "_plugin",
        "_since",
        "_taken",
        "_unsent",
        "_version",
        "began",
        "cors",
        "latency",
        "received",
        "sent",
        "status",
        "waited",
    )

    _left: int | None
    """Bytes of the announced length that are still to come. Not there before the body."""
    _taken: int
    """Bytes that `take` was given since the last `settle`. Not there before the body."""

    def __init__(
        self,
        exchange: Exchange,
        clocks: Clocks,
        client: Client,
        limits: RelayLimits,
        method: str,
        version: str,
        plugin: str,
    ) -> None:
        self._exchange = exchange
        self._clocks = clocks
        self._client = client
        self._limits = limits
        self._method = method
        self._version = version
        self._plugin = plugin
        self._loop = exchange.loop
        now = self._loop.time()
        self._began = now
        self.began = monotonic()
        """The same by a finer clock: uvloop's has milliseconds, and does not move within a turn of the loop."""
        self._clock = "clock_first_byte"
        """The clock that runs for the worker, or for the client that is to take what was sent."""
        self._limit = limits.clock_first_byte
        self._since = now
        self._body_since: float | None = None
        self._unsent = inf
        """Bytes that the client had still to take at the last look."""
        self._heard = False
        """Whether the plugin has begun to answer."""
        self._head_sent = False
        self._answered = False
        self._filled = False
        self.cors: CorsHeaders | None = None
        """What the answer gets for browsers, where the endpoint has a rule for other origins."""
        self.latency: float | None = None
        """Seconds from the beginning to the head of the answer; None when no answer has begun."""
        self.status = 0
        """Of the answer whose head was sent."""
        self.received = self.sent = 0
        """Bytes of the request's body and of the answer's."""
        self.waited = 0.0
        """Seconds in the queue, before it began."""

    @property
    def answered(self) -> bool:
        """Whether the whole answer was sent."""
        return self._answered

    @property
    def delivered(self) -> bool:
        """Whether the client has all that its answer can have, whatever the plugin does after it."""
        return self._answered or self._filled

    # Clocks and departures

    def check(self, now: float) -> None:
        """Act on the first clock that has run out, if any."""
        if self._answered:
            self._check_closing(now)
            return
        limits = self._limits
        body_since, client_idle = self._body_since, limits.clock_client_idle
        if limits.clock_total and now - self._began > limits.clock_total:
            self._expire("clock_total")
        elif body_since is not None and client_idle and now - body_since > client_idle:
            self._expire("clock_client_idle")
        elif self._limit and not self._waits_for_client(now) and now - self._since > self._limit:
            self._expire(self._clock)

    def _check_closing(self, now: float) -> None:
        """The client has everything; what the plugin does behind it holds a place, and is not to do so for ever."""
        if not self._exchange.is_over and not (self._limits.clock_idle and now - self._since > self._limits.clock_idle):
            return
        self._clocks.discard(self)
        self._exchange.cancel("clock_idle")

    def end(self) -> None:
        """The client is not concerned any more; the clocks go on until the worker's thread is free."""
        if self._answered and not self._exchange.is_over:
            self._since = self._loop.time()
        else:
            self._clocks.discard(self)

    def _waits_for_client(self, now: float) -> bool:
        """Whether it is for a client that has taken something since the last look, or for more of its body, which has
        a clock of its own: the plugin may wait for that as well."""
        if self._clock != "clock_client_idle":
            return self._body_since is not None and self._limits.clock_client_idle > 0
        before, self._unsent = self._unsent, self._client.unsent()
        if self._unsent >= before:
            return False
        self._since = now
        return True

    def _expire(self, clock: str) -> None:
        self._exchange.deliver(ClockRanOut(clock))
        if self._head_sent or self._clock == "clock_client_idle":
            # It may be the client that is waited for; this wakes the relay in either case.
            self._client.abort()

    def client_gone(self) -> None:
        """What a plugin does before it answers it does to its end. Who calls a webhook often waits for a few seconds
        only, and counts on it all the same."""
        if self._heard:
            self.give_up()

    def give_up(self) -> None:
        """Nothing of the answer is wanted, nor what is done for it."""
        self._exchange.deliver(ClientGone("the client has closed the connection"))

    def _watch(self, clock: str, limit: float) -> None:
        self._clock, self._limit = clock, limit
        self._since = self._loop.time()
        self._unsent = inf

    # The request's body

    async def pump(self, rest: bytes, more: bool, size: int) -> None:
        """Send what follows the first piece: `rest`, then all that the client sends. `size` bytes came before."""
        loop = self._loop
        body = rest
        while True:
            for start in range(0, len(body), MAX_PIECE):
                await self._exchange.send_body(body[start : start + MAX_PIECE], End.MORE)
            if self._clock != "clock_client_idle":
                self._since = loop.time()
            if not more or self._exchange.is_over:
                break
            self._body_since = loop.time()
            heard = await self._client.receive()
            self._body_since = None
            if heard is None:
                if not self._heard:
                    # The plugin would wait for the rest.
                    self.give_up()
                return
            body, more = heard
            size += len(body)
            self.received = size
            if size > self._limits.body:
                self._exchange.deliver(BodyTooLarge("limit_body"))
                return
        await self._exchange.send_body(b"", End.BODY)

    # The answer

    def answer_at_once(self) -> bool:
        """Send the answer when all of it is there and the client has room for it: it leaves when all is handed out that
        came with it. Otherwise nothing is done: it is for `run`, as is every failure."""
        first = self._exchange.first()
        if not isinstance(first, Response) or first.end == End.MORE or self._version == "1.0":
            return False
        try:
            head = self._check(first)
        except BrokenAnswer:
            return False
        if not self._client.takes_all:
            return False
        body = first.body if head.has_body else b""
        self._client.begin(first.status, head)
        self._client.put(body, last=False)
        self._exchange.settle_later(self._client)
        self._head_sent = self._answered = True
        self.latency = monotonic() - self.began
        self.status, self.sent = first.status, len(body)
        return True

    async def run(self) -> None:
        """Relay the answer. Raises `Problem` as long as nothing of it was sent."""
        try:
            first = await self._exchange.next()
            self._heard = True
            if self._client.gone:
                raise ClientGone("the client has closed the connection")
            head = self._check(first)
            assert isinstance(first, Response)
            if not self._client.has_room:
                await self._take_turn()
            self._send_head(first.status, head)
            await self._send_body(head, first)
        except ClientGone:
            self._exchange.cancel("the client has gone")
        except (ExchangeError, BrokenAnswer) as error:
            self._client.flush()
            self._exchange.cancel(str(error))
            if not (self._head_sent or self._client.gone):
                raise problem_of(error, self._plugin, self._limits.body, self._limits.clock_client_idle) from error
            # A clock that ran out has broken the connection already, which may look as if the client had gone.
            if isinstance(error, ClockRanOut) or not self._client.gone:
                log.warning("response.aborted", **self._whose(), because=str(error))
            self._client.abort()

    def _check(self, first: Answer) -> ResponseHead:
        if not isinstance(first, Response):
            raise broken(first)
        try:
            head = check_response_head(first.status, first.headers, self._method)
        except BadHead as error:
            raise BrokenAnswer("bad_answer", str(error)) from error
        if self.cors is not None:
            head = with_cors(self.cors, head)
        if head.has_body and first.end != End.MORE and head.length not in (None, len(first.body)):
            # All of it is here, so a wrong length can still be told as an error.
            raise BrokenAnswer(
                "bad_answer", f"the response's Content-Length is {head.length}, its body has {len(first.body)} bytes"
            )
        return head

    async def _take_turn(self) -> None:
        """Wait until the client has taken enough of the answers before this one. Raises `ExchangeError` when it does
        not, or leaves."""
        self._watch("clock_client_idle", self._limits.clock_client_idle)
        await self._client.room()
        while self._client.gone:
            # The reason comes behind what there is of the answer.
            await self._exchange.next()

    def _send_head(self, status: int, head: ResponseHead) -> None:
        self._head_sent = True
        self._watch("clock_client_idle", self._limits.clock_client_idle)
        self.latency = monotonic() - self.began
        self.status = status
        self._client.begin(status, head, by_closing=self._version == "1.0")

    async def _send_body(self, head: ResponseHead, piece: Answer) -> None:
        client, exchange = self._client, self._exchange
        self._left, self._taken = head.length, 0
        while True:
            if isinstance(piece, Failed | Closed):
                raise broken(piece)
            body, more = piece.body, piece.end == End.MORE
            if not head.has_body:
                body = b""
            elif self._left is not None:
                body, more = self._fit(head, body, more, self._left)
                self._left -= len(body)
            if body or not more:
                if not client.has_room:
                    self._watch("clock_client_idle", self._limits.clock_client_idle)
                    await client.room()
                client.put(body, last=not more)
                self.sent += len(body)
            if not more:
                self._answered = True
                return
            if not exchange.has_next or client.held >= MOST_HELD:
                client.flush()
            self._filled = self._left == 0 or not head.has_body
            exchange.consumed(len(piece.body))
            if not exchange.has_next:
                self._watch("clock_idle", self._limits.clock_idle)
            piece = await exchange.next(self if head.has_body else None)

    # The pieces that come while `_send_body` waits for one (`exchange.Taker`)

    def take(self, body: bytes | memoryview) -> bool:
        """Relay a piece, unless it has to wait for the client or is one too many."""
        client, left = self._client, self._left
        if not client.has_room:
            return False
        if left is not None:
            if len(body) > left:
                return False
            self._left = left - len(body)
        self._taken += len(body)
        if isinstance(body, memoryview):
            client.put_at_once(body)
            self.settle()
            return True
        client.put(body, last=False)
        if client.held >= MOST_HELD:
            self.settle()
        return True

    def settle(self) -> None:
        """Let what was taken leave, alone or with what has come and was not taken."""
        taken, self._taken = self._taken, 0
        if not self._exchange.has_next:
            self._client.flush()
        self.sent += taken
        self._filled = self._left == 0
        self._exchange.consumed(taken)
        self._since = self._loop.time()

    def _fit(self, head: ResponseHead, body: bytes, more: bool, left: int) -> tuple[bytes, bool]:
        """As much of a piece as the Content-Length has `left` for, and whether more may follow. Raises `BrokenAnswer`
        when it is the last one and does not fill it."""
        if len(body) > left:
            log.warning("response.too_long", **self._whose(), content_length=head.length)
            if more:
                # It may go on for ever, and the client's next request waits behind it.
                self._exchange.cancel("the answer is longer than its Content-Length")
            return body[:left], False
        if not more and len(body) < left:
            raise BrokenAnswer("bad_answer", f"the body ended {left - len(body)} bytes before its Content-Length")
        return body, more

    def _whose(self) -> dict[str, str]:
        """What the log is told with whatever went wrong with the answer."""
        exchange = self._exchange
        return {"plugin": self._plugin, "request": exchange.request, "interface": exchange.interface}
