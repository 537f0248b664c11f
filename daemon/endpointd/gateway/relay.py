"""Relays one request through one worker: passes on the body and the answer, watches timeouts (clocks), and handles the
loss of either side.

A failure before the head of the answer was sent is a `Problem`. After that the client's connection is reset, because
there is no other way to say that a body is incomplete.
"""

from math import inf
from time import monotonic

import structlog

from endpointd.callers.cors import CorsHeaders
from endpointd.channel.exchange import Answer, ClientGone, ClockRanOut, Exchange, ExchangeError
from endpointd.gateway.client import Client
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.failures import BodyTooLarge, BrokenAnswer, broken, problem_of
from endpointd.gateway.heads import BadHead, ResponseHead, check_response_head
from endpointd.gateway.limits import RelayLimits
from endpointd.gateway.visits import with_cors
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import Closed, End, Failed, Response

MOST_HELD = MAX_PIECE
"""The number of buffered bytes of an answer's body at which they are written out, even if more came in the batch."""

log = structlog.get_logger()


class Relay:
    """Relays one exchange, with `run` or `answer_at_once`. `check` is called by the `Clocks`, and `client_gone` when
    the client disconnects."""

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
    """Bytes of the announced length that are still to come; None if no length was announced. Only set while the body is
    sent."""
    _taken: int
    """Bytes that `take` has accepted since the last `settle`. Only set while the body is sent."""

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
        """When the relay began, by the monotonic clock. uvloop's time only has milliseconds, and does not advance
        within a turn of the event loop."""
        self._clock = "clock_first_byte"
        """The name of the timeout that is running: for the worker, or for the client that is to receive the answer."""
        self._limit = limits.clock_first_byte
        self._since = now
        self._body_since: float | None = None
        self._unsent = inf
        """Bytes that the client had not received at the last check."""
        self._heard = False
        """Whether the plugin has begun to answer."""
        self._head_sent = False
        self._answered = False
        self._filled = False
        self.cors: CorsHeaders | None = None
        """The CORS headers that the answer gets; None if the endpoint has no CORS rule."""
        self.latency: float | None = None
        """Seconds from the beginning to the head of the answer; None when no answer has begun."""
        self.status = 0
        """The status of the answer whose head was sent; 0 if none was."""
        self.received = self.sent = 0
        """Bytes of the request's body and of the answer's body."""
        self.waited = 0.0
        """Seconds that the request waited in the queue before the relay began."""

    @property
    def answered(self) -> bool:
        """Whether the whole answer was sent."""
        return self._answered

    @property
    def delivered(self) -> bool:
        """Whether the client was sent the complete body of the answer, even if the plugin has not ended it yet."""
        return self._answered or self._filled

    # Timeouts and disconnections

    def check(self, now: float) -> None:
        """Act on the first timeout that has run out, if any."""
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
        """Check a request whose answer is complete. What the plugin still does for it occupies a place, so it is
        cancelled after `clock_idle`."""
        if not self._exchange.is_over and not (self._limits.clock_idle and now - self._since > self._limits.clock_idle):
            return
        self._clocks.discard(self)
        self._exchange.cancel("clock_idle")

    def end(self) -> None:
        """The client's part is over. The timeouts go on until the worker has finished the request."""
        if self._answered and not self._exchange.is_over:
            self._since = self._loop.time()
        else:
            self._clocks.discard(self)

    def _waits_for_client(self, now: float) -> bool:
        """Whether the running timeout does not count, because the relay waits for a client that has received something
        since the last check, or that has a timeout of its own for the next piece of its body: the plugin may be waiting
        for that piece."""
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
            # If the relay waits for the client, only this wakes it.
            self._client.abort()

    def client_gone(self) -> None:
        """Called when the client disconnects. Gives the request up only if the plugin has begun to answer: callers of
        webhooks often disconnect after a few seconds, and rely on the request's being processed anyway."""
        if self._heard:
            self.give_up()

    def give_up(self) -> None:
        """Give the request up because the client has gone."""
        self._exchange.deliver(ClientGone("the client has closed the connection"))

    def _watch(self, clock: str, limit: float) -> None:
        self._clock, self._limit = clock, limit
        self._since = self._loop.time()
        self._unsent = inf

    # The request's body

    async def pump(self, rest: bytes, more: bool, size: int) -> None:
        """Send the body after its first piece: `rest`, then, if there is `more`, all that the client sends. `size`
        bytes were received so far."""
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
                    # Otherwise the plugin would wait for the rest.
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
        """Send the answer at the end of the current batch, if it has arrived completely and the client's connection is
        not congested. Otherwise, and after every failure, returns False without having done anything; then `run` has to
        be called."""
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
        """Relay the answer. Raises `Problem` after a failure, if nothing of the answer was sent yet."""
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
            # After a timeout the connection has been reset already, which looks as if the client had gone.
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
            # The whole answer is here, so a wrong length can still be reported as an error.
            raise BrokenAnswer(
                "bad_answer", f"the response's Content-Length is {head.length}, its body has {len(first.body)} bytes"
            )
        return head

    async def _take_turn(self) -> None:
        """Wait until the client has received enough of earlier answers. Raises `ExchangeError` if it does not, or
        disconnects."""
        self._watch("clock_client_idle", self._limits.clock_client_idle)
        await self._client.room()
        while self._client.gone:
            # The error is queued behind messages of the answer.
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
        """Relay a piece, unless it has to wait for the client or exceeds the announced length."""
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
        """Account for the pieces that were taken, and write them out, unless more messages wait, with which they are
        written."""
        taken, self._taken = self._taken, 0
        if not self._exchange.has_next:
            self._client.flush()
        self.sent += taken
        self._filled = self._left == 0
        self._exchange.consumed(taken)
        self._since = self._loop.time()

    def _fit(self, head: ResponseHead, body: bytes, more: bool, left: int) -> tuple[bytes, bool]:
        """The part of a piece that fits into the `left` bytes of the Content-Length, and whether more may follow.
        Raises `BrokenAnswer` if it is the last piece and the body is too short."""
        if len(body) > left:
            log.warning("response.too_long", **self._whose(), content_length=head.length)
            if more:
                # The plugin may go on for ever, and the client's next request would have to wait.
                self._exchange.cancel("the answer is longer than its Content-Length")
            return body[:left], False
        if not more and len(body) < left:
            raise BrokenAnswer("bad_answer", f"the body ended {left - len(body)} bytes before its Content-Length")
        return body, more

    def _whose(self) -> dict[str, str]:
        """The fields that identify the request in the log."""
        exchange = self._exchange
        return {"plugin": self._plugin, "request": exchange.request, "interface": exchange.interface}
