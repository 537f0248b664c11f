"""Relays one request to a worker and checks its answer, as the daemon does.

Everything here runs in the event loop of the worker's channel. There are no timeouts: the caller has one.
"""

from endpointd.channel.exchange import Exchange, ExchangeError
from endpointd.gateway.heads import BadHead, ResponseHead, check_response_head
from endpointd.gateway.problems import Problem
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import Closed, Data, End, Failed, Response


class AnswerBroken(Exception):
    """The body of the answer is incomplete, or does not have the announced length."""


class Relay:
    """One answer. Call `head` once, then `piece` until it returns None."""

    def __init__(self, exchange: Exchange, method: str, plugin: str) -> None:
        self._exchange = exchange
        self._method = method
        self._plugin = plugin
        self._held: Response | Data | None = None
        """The piece that came with the head."""
        self._has_body = True
        self._left: int | None = None
        """How many bytes of the announced length are still to come."""
        self._taken = 0
        """Bytes of the piece that was returned last."""
        self._ended = False

    async def send_body(self, body: bytes) -> None:
        """Send the request's body after its first piece, as fast as the plugin consumes it."""
        for start in range(0, len(body), MAX_PIECE):
            await self._exchange.send_body(body[start : start + MAX_PIECE], End.MORE)
        await self._exchange.send_body(b"", End.BODY)

    async def head(self) -> tuple[int, ResponseHead]:
        """The status and the headers. Raises `Problem` if the daemon would answer instead of the plugin."""
        first = await self._first()
        try:
            head = check_response_head(first.status, first.headers, self._method)
        except BadHead as error:
            raise self._refuse(str(error)) from error
        if head.has_body and first.end != End.MORE and head.length not in (None, len(first.body)):
            text = f"the response's Content-Length is {head.length}, its body has {len(first.body)} bytes"
            raise self._refuse(text)
        self._held, self._has_body, self._left = first, head.has_body, head.length
        return first.status, head

    async def _first(self) -> Response:
        try:
            first = await self._exchange.next()
        except ExchangeError as error:
            detail = f"the plugin's worker went away before it answered: {error}"
            raise Problem(502, "worker_gone", detail, self._plugin) from error
        if isinstance(first, Response):
            return first
        if not isinstance(first, Failed):
            raise Problem(500, "bad_answer", "the plugin ended the request without an answer", self._plugin)
        extra = {"traceback": first.detail}
        if first.code == "bad_answer":
            detail = "the plugin answered with something that cannot be sent"
            raise Problem(500, "bad_answer", detail, self._plugin, extra=extra)
        raise Problem(500, "plugin_exception", "the plugin failed to answer", self._plugin, extra=extra)

    def _refuse(self, detail: str) -> Problem:
        self.cancel(detail)
        return Problem(500, "bad_answer", detail, self._plugin)

    async def piece(self) -> bytes | None:
        """The next piece of the body, None after the last. Raises `AnswerBroken`.

        The plugin gets credit only for what was read before, so a test that does not read acts like a slow client.
        """
        while not self._ended:
            self._exchange.consumed(self._taken)
            piece, self._held = self._held or await self._next(), None
            self._taken = len(piece.body)
            self._ended = piece.end != End.MORE
            body = self._fitting(piece.body)
            if body:
                return body
        return None

    async def _next(self) -> Data:
        try:
            message = await self._exchange.next()
        except ExchangeError as error:
            raise self._broken(f"the plugin's worker went away in the middle of its answer: {error}") from error
        if isinstance(message, Failed):
            raise self._broken(f"the plugin failed in the middle of its answer:\n{message.detail}")
        if isinstance(message, Closed):
            raise self._broken("the plugin's answer was cut short")
        assert isinstance(message, Data)
        return message

    def _fitting(self, body: bytes) -> bytes:
        if not self._has_body:
            return b""
        if self._left is not None:
            self._left -= len(body)
            if self._left < 0 or (self._ended and self._left):
                how = "longer" if self._left < 0 else "shorter"
                raise self._broken(f"the body is {how} than its Content-Length by {abs(self._left)} bytes, or more")
        return body

    def _broken(self, text: str) -> AnswerBroken:
        self._ended = True
        self.cancel(text)
        return AnswerBroken(text)

    def cancel(self, reason: str) -> None:
        """Cancel the answer; the plugin's generator is closed at its next `yield`."""
        self._exchange.cancel(reason)
