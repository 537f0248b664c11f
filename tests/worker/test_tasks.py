"""Endpoints that are tasks of a loop: how they wait, and that none stops the others."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from endpointd_wire.flow import WINDOW
from endpointd_wire.messages import Call, Cancel, Closed, Data, End, Refused
from endpointd_wire.messages import Response as ResponseMessage
from endpointd_worker.calls import CallRefused
from endpointd_worker.logs import request_id
from endpointd_worker.streams import Stream
from support.host_end import WAIT_SECONDS
from support.thread_worker import AsyncInvoke, Kind, Logged, StartThreads, ThreadWorker

pytestmark = pytest.mark.parametrize("start_threads", [Kind.TASK], indirect=True, ids=["task"])

# Waiting


def waiting_for_the_last() -> AsyncInvoke:
    """Answers with the path of each request, and none before that for `/go` has come."""
    going_on = asyncio.Event()

    async def answer(r: Request) -> Response:
        if r.path == "/go":
            going_on.set()
        await going_on.wait()
        return Response(r.path)

    return answer


def test_many_wait_at_once(start_threads: StartThreads) -> None:
    """And each has its own answer."""
    host = start_threads(waiting_for_the_last()).host
    before = threading.active_count()
    paths = {host.request(path=b"/%d" % number): b"/%d" % number for number in range(300)}
    paths[host.request(path=b"/go")] = b"/go"
    heard = {}
    for _ in paths:
        message = host.hear(ResponseMessage)
        heard[message.stream] = message.body
    assert heard == paths
    # More are of the pool than of the loop.
    assert threading.active_count() <= before + 3


def test_answers_that_end_in_one_turn_leave_together(
    start_threads: StartThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = start_threads(waiting_for_the_last())
    together = []

    def send_output(streams: Iterable[Stream]) -> None:
        sent = [*streams]
        together.append(len(sent))
        send(sent)

    send = worker.link.send_output
    monkeypatch.setattr(worker.link, "send_output", send_output)
    requests = [worker.host.request() for _ in range(20)]
    requests.append(worker.host.request(path=b"/go"))
    assert {worker.host.hear(ResponseMessage).stream for _ in requests} == {*requests}
    assert max(together) > 1


def test_one_that_is_not_read_does_not_stop_the_others(start_threads: StartThreads) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(10_000)

    async def answer(r: Request) -> Response:
        return Response(endless() if r.path == "/endless" else ["short"])  # type: ignore[arg-type]

    host = start_threads(answer).host
    host.request(path=b"/endless")
    assert len(host.hear_body(WINDOW // 10_000 * 10_000)) <= WINDOW
    assert host.ask(path=b"/short").body == b"short"


def test_credit_lets_it_go_on(start_threads: StartThreads) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield bytes(WINDOW)

    async def answer(_: Request) -> Response:
        return Response(chunks())  # type: ignore[arg-type]

    assert len(start_threads(answer).host.ask().body) == 3 * WINDOW


def test_a_body_without_async_is_made_beside_the_loop(start_threads: StartThreads) -> None:
    going_on = threading.Event()

    def chunks() -> Iterator[str]:
        yield threading.current_thread().name
        assert going_on.wait(WAIT_SECONDS)
        yield f" {request_id.get()}"

    async def answer(r: Request) -> Response:
        if r.path == "/go":
            going_on.set()
            return Response("go")
        return Response(chunks())

    host = start_threads(answer).host
    blocked = host.request(request_id="r-7")
    assert host.hear_body(len("endpointd-body_0")) == b"endpointd-body_0"
    other = host.request(path=b"/go")
    bodies = {blocked: b"", other: b""}
    ended = 0
    while ended < 2:
        message = host.hear_any()
        assert isinstance(message, ResponseMessage | Data)
        bodies[message.stream] += message.body
        ended += message.end == End.STREAM
    assert bodies == {blocked: b" r-7", other: b"go"}


# The session


def asking(worker: list[ThreadWorker], answer: Callable[..., Coroutine[Any, Any, object]]) -> AsyncInvoke:
    """An endpoint that asks the host for something, in one way or the other."""

    def ask() -> object:
        return list(worker[0].link.calls.call("storage", {"opt": "exist"}))

    async def invoke(_: Request) -> Response:
        try:
            return Response(repr(await answer(ask)))
        except CallRefused as error:
            return Response(f"{error.code}: {error}")

    return invoke


def test_a_call_on_the_loop_is_refused(start_threads: StartThreads) -> None:
    worker: list[ThreadWorker] = []

    async def directly(ask: Callable[[], object]) -> object:
        return ask()

    worker.append(start_threads(asking(worker, directly)))
    assert b"invalid: a session call in an async function would stop" in worker[0].host.ask().body


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_call_of_a_thread_of_the_task_is_the_requests(start_threads: StartThreads, cancelled: bool) -> None:
    worker: list[ThreadWorker] = []
    worker.append(start_threads(asking(worker, asyncio.to_thread)))
    host = worker[0].host
    stream = host.request()
    call = host.hear(Call)
    assert call.within == stream
    if cancelled:
        # The task ends at once, and the thread when the host refuses what is wanted no more.
        host.say(Cancel(stream, "client gone"), Refused(call.call, "cancelled", "the request is over"))
        assert type(host.take(stream).last) is Closed
    else:
        host.say(Refused(call.call, "missing", "there is none"))
        assert host.take(stream).body == b"missing: there is none"


# Logs, and what goes wrong


def test_a_record_is_of_the_request_whose_task_logs_it(start_threads: StartThreads) -> None:
    ids: list[tuple[str, str]] = []
    here = threading.Lock()

    async def later(path: str) -> None:
        await asyncio.sleep(0)
        with here:
            ids.append((path, request_id.get()))

    async def answer(r: Request) -> Response:
        await asyncio.gather(later(r.path), asyncio.to_thread(lambda: ids.append((r.path, request_id.get()))))
        return Response()

    host = start_threads(answer).host
    for number in range(20):
        host.request(path=b"/%d" % number, request_id=f"r-{number}")
    for _ in range(20):
        host.hear(ResponseMessage)
    assert sorted(ids) == sorted([(f"/{number}", f"r-{number}") for number in range(20)] * 2)


def test_a_task_of_the_plugins_that_exits_does_not_end_the_loop(start_threads: StartThreads, logged: Logged) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    tasks: list[asyncio.Task[None]] = []

    async def answer(_: Request) -> Response:
        tasks.append(asyncio.create_task(leave()))
        await asyncio.sleep(0)
        return Response("goes on")

    host = start_threads(answer).host
    assert host.ask().body == b"goes on"
    assert host.ask().body == b"goes on"
    assert "SystemExit" in logged()
