"""Endpoints that are tasks of a loop: what a cancel is to them."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from werkzeug.wrappers import Request, Response

from endpointd_wire.flow import WINDOW
from endpointd_wire.messages import Cancel, Closed, Failed, Ping, Pong
from endpointd_wire.messages import Response as ResponseMessage
from support.host_end import WAIT_SECONDS
from support.thread_worker import Kind, Logged, StartThreads

pytestmark = pytest.mark.parametrize("start_threads", [Kind.TASK], indirect=True, ids=["task"])


class Seen:
    """What the plugin has done, in order."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, word: str) -> None:
        self.words.append(word)


def streaming(chunks: AsyncIterator[object], seen: Seen) -> Response:
    response = Response(chunks)  # type: ignore[arg-type]
    response.call_on_close(lambda: seen("closed"))
    return response


async def for_ever() -> None:
    await asyncio.Event().wait()


def test_a_cancel_is_an_error_where_the_function_waits(start_threads: StartThreads, logged: Logged) -> None:
    seen = Seen()

    async def answer(_: Request) -> Response:
        seen("begun")
        begun.set()
        try:
            await for_ever()
        except asyncio.CancelledError:
            seen("cancelled")
            raise
        return Response()

    begun = threading.Event()
    host = start_threads(answer).host
    stream = host.request()
    assert begun.wait(WAIT_SECONDS)
    host.say(Cancel(stream, "client gone"))
    assert type(host.take(stream).last) is Closed
    assert (seen.words, logged()) == (["begun", "cancelled"], "")


def test_a_cancel_is_an_error_where_the_body_waits(start_threads: StartThreads, logged: Logged) -> None:
    seen = Seen()

    async def chunks() -> AsyncIterator[str]:
        try:
            yield "first"
            await for_ever()
        except asyncio.CancelledError:
            seen("cancelled")
            raise
        finally:
            await asyncio.sleep(0)
            seen("cleaned")

    async def answer(_: Request) -> Response:
        return streaming(chunks(), seen)

    host = start_threads(answer).host
    stream = host.request()
    assert host.hear_body(5) == b"first"
    host.say(Cancel(stream, "client gone"))
    assert type(host.take(stream).last) is Closed
    assert (seen.words, logged()) == (["cancelled", "cleaned", "closed"], "")


def test_a_cancel_closes_a_body_that_waits_for_credit(start_threads: StartThreads, logged: Logged) -> None:
    seen = Seen()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(50_000)
        except GeneratorExit:
            seen("GeneratorExit")
            raise

    async def answer(_: Request) -> Response:
        return streaming(chunks(), seen)

    worker = start_threads(answer)
    stream = worker.host.request()
    assert len(worker.host.hear_body(WINDOW // 50_000 * 50_000)) <= WINDOW
    worker.host.say(Cancel(stream, "client gone"))
    assert type(worker.host.take(stream).last) is Closed
    assert (seen.words, logged()) == (["GeneratorExit", "closed"], "")


def test_a_function_may_do_something_else_when_it_is_cancelled(start_threads: StartThreads, logged: Logged) -> None:
    """It is told once, has the host's patience for it, and its answer is for nobody."""
    begun = threading.Event()

    async def answer(_: Request) -> Response:
        try:
            begun.set()
            await for_ever()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
        return Response("for nobody")

    host = start_threads(answer).host
    stream = host.request()
    assert begun.wait(WAIT_SECONDS)
    host.say(Cancel(stream, "client gone"))
    answered = host.take(stream)
    assert (answered.pieces, type(answered.last)) == ([], Closed)
    assert logged() == ""


def test_one_that_is_cancelled_before_it_begins_is_over(start_threads: StartThreads) -> None:
    holding, going_on = threading.Event(), threading.Event()

    async def block(_: Request) -> Response:
        holding.set()
        assert going_on.wait(WAIT_SECONDS)
        return Response("late")

    worker = start_threads(block)
    first = worker.host.request()
    assert holding.wait(WAIT_SECONDS)
    second = worker.host.request()
    worker.host.say(Cancel(second, "client gone"), Ping(1))
    # So it has heard of the cancellation as well.
    worker.host.hear(Pong)
    going_on.set()
    heard = [worker.host.hear_any(), worker.host.hear_any()]
    assert {(type(message), message.stream) for message in heard} == {(ResponseMessage, first), (Closed, second)}  # type: ignore[union-attr]


def test_an_own_cancellation_is_a_failure(start_threads: StartThreads, logged: Logged) -> None:
    async def answer(_: Request) -> Response:
        raise asyncio.CancelledError

    assert type(start_threads(answer).host.ask().last) is Failed
    assert "CancelledError" in logged()
