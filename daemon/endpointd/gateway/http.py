"""uvicorn's HTTP protocol, extended with what it lacks: limits and a timeout for the head, HTTP/1.0 without chunks,
clients that disconnect or stall, and endpointd's own error documents for malformed requests.

An application finds the `Client` of its request as `scope["endpointd.client"]`.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import structlog
from httptools import HttpParserError, HttpParserUpgrade
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from endpointd.gateway.client import Client
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.forwarded import NOTHING, Proxies, Told
from endpointd.gateway.limits import HttpLimits
from endpointd.gateway.problems import Problem
from endpointd.gateway.refusals import (
    connections_exhausted,
    forwarded_malformed,
    head_too_slow,
    header_size,
    header_too_large,
    malformed,
    uri_too_long,
    written,
)
from endpointd.gateway.upgrades import head_of_framing, parser_behind_head
from endpointd.sockets.transports import reset, unsent

MAX_PIPELINED = 32
"""How many requests a client may send before it has received the answers to earlier ones (pipelining)."""

LINGER = 10.0
"""Seconds that a client may go on sending after it was answered or refused. Closing at once could make its system
discard the answer; reading for ever would let it hold the connection."""

LAST_CALL = 1.0
"""Seconds of inactivity after which a connection is closed when the server ends. A client that has just connected, or
sends one request after the other, may be sending one at this moment, which would be lost."""

log = structlog.get_logger()


class ClientProtocol(HttpToolsProtocol):
    """One client connection."""

    def __init__(
        self,
        limits: HttpLimits,
        clocks: Clocks,
        begin: Callable[..., bool] = lambda *_: False,
        proxies: Proxies | None = None,
        **arguments: Any,  # noqa: ANN401 - uvicorn's own
    ) -> None:
        super().__init__(**arguments)
        self._begin = begin
        self._proxies = proxies
        self._is_reading = False
        self._unbegun: tuple[RequestResponseCycle, Any] | None = None
        """A request whose head came with the data that is being parsed, and its application; it begins afterwards."""
        self._idle_since: float | None = None
        self._is_ending = False
        """Whether the server is shutting down: the connection ends after the next answer."""
        self._limits = limits
        self._clocks = clocks
        self._clients: list[Client] = []
        self._refusal: Problem | None = None
        self._last_word: Problem | None = None
        """The refusal of a request that is to be sent after the answers to earlier requests."""
        self._is_deaf = False
        """Whether further data from the client is ignored."""
        self._framing = 0
        """Bytes received since the last complete head, piece of a body, or end of a message: an upper bound of what the
        parser has to keep."""
        self._most = 0
        """The most bytes that a head which ends in the data being parsed can have."""
        self._head_since: float | None = None
        self._answered_at: float | None = None
        self._untaken: float = inf
        """Bytes of finished answers that the client had not received at the last check."""
        self._taken_at = 0.0

    # The connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = self.loop.time()
        if self._proxies is not None and not self._proxies.trusts(self.client):
            self._proxies = None
        self._clocks.add(self)
        if len(self.connections) > self._limits.connections:
            self._is_deaf = True
            transport.write(written(connections_exhausted()))
            # At once, because another client may have the place.
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._clocks.discard(self)
        self._unset_keepalive_if_required()
        self._dismiss()

    def _dismiss(self) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            client.leave()

    def check(self, now: float) -> None:
        """Close the connection if the client makes no progress with sending its request or receiving its answer. Called
        by the `Clocks`; `now` is the event loop's time."""
        limit = self._limits.clock_header
        if self._is_stalled(now):
            log.warning("response.aborted", because="clock_client_idle")
            reset(self.transport)
        elif self._is_ending and self._is_quiet(now):
            self.transport.close()
        elif limit and self._head_since is not None and not self._clients and now - self._head_since > limit:
            if self._framing:
                self._refuse(head_too_slow(limit))
            else:
                self.transport.close()
        elif self._is_idle_too_long(now):
            self.transport.close()
        elif self._answered_at is not None and now - self._answered_at > LINGER:
            # Not reset, because the end of the answer may still be on its way.
            self.transport.close()

    def _is_stalled(self, now: float) -> bool:
        """Whether the client has stopped receiving the end of an answer whose relay has finished, and so no longer
        watches. The host's own answer to the next request has no relay, and would wait for that."""
        is_watched = bool(self._clients) and (self._clients[0].started or self._clients[0].on_gone is not None)
        if is_watched or not self.transport.get_write_buffer_size():
            self._untaken = inf
            return False
        before, self._untaken = self._untaken, unsent(self.transport)
        if self._untaken < before:
            self._taken_at = now
        limit = self._limits.clock_client_idle
        return limit > 0 and now - self._taken_at > limit

    def _is_idle_too_long(self, now: float) -> bool:
        limit = self._limits.clock_keep_alive
        return limit > 0 and self._idle_since is not None and now - self._idle_since > limit

    def shutdown(self) -> None:
        """Called by uvicorn when the server ends. Requests that have come or are on their way are answered; the last
        answer says that the connection ends."""
        self._is_ending = True
        if self.cycle is None or self._is_between_requests():
            self.check(self.loop.time())
        elif self.cycle.response_complete:
            # The client is still sending the body of a request that was answered already.
            self._hear_out()
        elif not self.cycle.response_started:
            self.cycle.keep_alive = False

    def _hear_out(self) -> None:
        """Close the write side now, and the connection when the client has sent the rest of the body of a request that
        was answered."""
        self.cycle.keep_alive = False
        # TLS connections cannot be half-closed.
        if self.transport.can_write_eof() and not self.transport.is_closing():
            self.transport.write_eof()

    def _is_quiet(self, now: float) -> bool:
        since = self._head_since if self._idle_since is None and not self._framing else self._idle_since
        if self._is_deaf:
            since = self._answered_at
        return not self._clients and since is not None and now - since > LAST_CALL

    def give_up(self) -> None:
        """Break off all requests that are still under way."""
        for client in self._clients:
            client.abort()

    # The head

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._framing += len(data)
        self._most = self._framing
        self._idle_since = None
        self._is_reading = True
        self._parse(data)
        self._is_reading = False
        if self._unbegun is not None:
            unbegun, self._unbegun = self._unbegun, None
            self._start_asgi_task(*unbegun)
        if self._framing > self._limits.uri + self._limits.header:
            self._refuse(header_too_large(self._framing, self._limits.header))
        elif self._head_since is None and self._is_between_requests():
            # It was white space. It has stopped the keep-alive timeout, so the timeout for a head has to run instead.
            self._head_since, self._framing = self.loop.time(), 0

    def _parse(self, data: bytes) -> None:
        try:
            while True:
                try:
                    self.parser.feed_data(data)
                    return
                except HttpParserUpgrade as upgrade:
                    self._pass_over()
                    data = data[upgrade.args[0] :]
        except HttpParserError:
            self._refuse(self._refusal or malformed())

    def _pass_over(self) -> None:
        """Continue after a head with `Upgrade` as if it had none: another parser reads the body, if there is one."""
        if self.parser.get_method() == b"CONNECT":
            # The data that follows could be meant for the other end of a tunnel.
            self.cycle.keep_alive = False
        self.parser = parser_behind_head(self)
        self.parser.feed_data(head_of_framing(self.scope["headers"]))

    def _is_between_requests(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete and not self.cycle.more_body

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_since is None:
            self._head_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > self._limits.uri:
            self._refusal = uri_too_long(self._limits.uri)
            raise ValueError("the request target is too long")

    def on_headers_complete(self) -> None:
        self._head_since, self._framing = None, 0
        if self.parser.get_http_version() not in ("1.0", "1.1"):
            raise ValueError("the request is of another version of HTTP")
        if self._most > self._limits.header:
            self._measure_head()
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ValueError("too many requests were sent ahead")
        told = self._told()
        super().on_headers_complete()
        if self._is_ending:
            self.cycle.keep_alive = False
        client = Client(self.transport, self.cycle)
        self.scope["endpointd.client"] = client  # type: ignore[typeddict-unknown-key]
        self._clients.append(client)
        self._believe(told)
        # The parser would append trailers to this list; they must not be taken for headers.
        self.headers = []

    def _told(self) -> Told:
        """What a trusted proxy says about the request's client. Raises `ValueError` if it is malformed."""
        if self._proxies is None:
            return NOTHING
        try:
            return self._proxies.tell(self.headers)
        except ValueError:
            self._refusal = forwarded_malformed()
            raise

    def _believe(self, told: Told) -> None:
        if told.client is not None:
            self.scope["client"] = told.client
        if told.scheme is not None:
            self.scope["scheme"] = told.scheme
        if told.host is not None:
            host = told.host.encode()
            self.scope["headers"] = [(name, host if name == b"host" else value) for name, value in self.headers]

    def _measure_head(self) -> None:
        size, limit = header_size(self.headers), self._limits.header
        if size > limit:
            self._refusal = header_too_large(size, limit)
            raise ValueError("the request head is too large")

    def on_body(self, body: bytes) -> None:
        self._framing = 0
        if not self.cycle.response_complete:
            # The last client is that of the request which is being read, as long as that was not answered.
            self._clients[-1].hear(body)

    # The answer

    def on_response_complete(self) -> None:
        while self._clients and self._clients[0].complete:
            self._clients.pop(0)
        if self.cycle.response_complete and self.cycle.more_body:
            self._answered_at = self.loop.time()
            if not self.cycle.keep_alive:
                self._hear_out()
        if self._head_since is not None:
            # The next request has begun already, before this answer was complete; its timeout runs from now.
            self._head_since = self.loop.time()
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last_word is not None:
            self._say(self._last_word)
        else:
            # No timer, unlike uvicorn: one for each answer would cost more than everything else here.
            self._idle_since = self.loop.time()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """Begin a request once all data that came with its head is parsed: on the direct path if possible, else as
        uvicorn does."""
        if self._is_reading:
            self._unbegun = cycle, app
            return
        start = partial(super()._start_asgi_task, cycle)
        # Removed from the scope, which the client refers to: a reference cycle is only freed by a garbage collection.
        client: Client = cycle.scope.pop("endpointd.client")  # type: ignore[typeddict-item]
        if not self._begin(cycle.scope, client, start):
            cycle.scope["endpointd.client"] = client  # type: ignore[typeddict-unknown-key]
            start(app)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            # Reported by a parser that skips the body, whether there is one or not (see `_pass_over`).
            return
        self._framing = 0
        # Also if the answer was complete before the request, a case that uvicorn ignores.
        self.cycle.more_body = False
        self.cycle.message_event.set()
        if self._answered_at is not None:
            self._answered_at = None
            if not self.cycle.keep_alive:
                self.transport.close()
                raise ValueError("the connection ends with this request")

    # Refusals

    def _refuse(self, problem: Problem) -> None:
        """Refuse the request that is being read, and close the connection.

        Earlier requests are answered first. If the head of this one is incomplete, the connection is then closed
        without an answer to it. If an answer to this request is under way already, the connection is reset, because
        nothing can be inserted into that.
        """
        if self._is_deaf or self.transport.is_closing():
            return
        self._is_deaf = True
        if self._clients and not self.cycle.more_body:
            self.cycle.keep_alive = False
        elif len(self._clients) > 1:
            self._clients.pop()
            self.pipeline.popleft()
            self._last_word = problem
        elif self._clients and self._clients[0].started:
            self._clients[0].abort()
        elif self.cycle is not None and self.cycle.response_complete and self.cycle.more_body:
            # It is the rest of a request that was answered before.
            self._linger()
        else:
            self._dismiss()
            self._say(problem)

    def _say(self, problem: Problem) -> None:
        self.transport.write(written(problem))
        self._linger()

    def _linger(self) -> None:
        """Say no more, and close the connection when the client does, or `LINGER` seconds later."""
        self._head_since = None
        self._is_deaf = True
        if self.transport.can_write_eof():
            self._answered_at = self.loop.time()
            self.transport.write_eof()
        else:
            # A TLS connection reads on by itself until the client has closed it too.
            self.transport.close()
