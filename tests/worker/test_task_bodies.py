"""The bodies of requests whose endpoints are tasks of a loop."""

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from endpointd_wire.flow import WINDOW
from endpointd_wire.messages import Cancel, Credit, Data, End, Failed
from support.host_end import WAIT_SECONDS
from support.thread_worker import AsyncInvoke, Kind, Logged, StartThreads

pytestmark = pytest.mark.parametrize("start_threads", [Kind.TASK], indirect=True, ids=["task"])


async def read(r: Request) -> bytes:
    return b"".join([chunk async for chunk in r.stream])  # type: ignore[attr-defined]


def test_a_short_body_is_there_from_the_beginning(start_threads: StartThreads) -> None:
    async def answer(r: Request) -> Response:
        return Response(r.get_data())

    host = start_threads(answer).host
    stream = host.request(method="POST", headers=[[b"Content-Length", b"4"]], end=End.MORE, body=b"du")
    host.say(Data(stream, End.MORE, b"c"))
    host.say(Data(stream, End.BODY, b"k"))
    assert host.take(stream).body == b"duck"


async def piece_by_piece(r: Request) -> Response:
    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in r.stream:  # type: ignore[attr-defined]
            yield chunk

    return Response(chunks())  # type: ignore[arg-type]


async def in_a_thread(r: Request) -> Response:
    return Response(await asyncio.to_thread(r.get_data))


@pytest.mark.parametrize("answer", [piece_by_piece, in_a_thread])
def test_a_long_body_is_awaited(start_threads: StartThreads, answer: AsyncInvoke) -> None:
    host = start_threads(answer).host
    stream = host.request(method="POST", end=End.MORE)
    body = bytes(range(250)) * 200
    pieces = [Data(stream, End.MORE, body)] * 3 + [Data(stream, End.BODY, b"end")]
    host.say(*pieces)
    assert host.take(stream).body == body * 3 + b"end"


def test_waiting_for_a_body_on_the_loop_is_an_error_that_says_so(start_threads: StartThreads, logged: Logged) -> None:
    async def answer(r: Request) -> Response:
        return Response(r.get_data())

    host = start_threads(answer).host
    stream = host.request(method="POST", end=End.MORE, body=b"more than that")
    assert type(host.take(stream).last) is Failed
    assert "'async for chunk in r.stream'" in logged()


# A task beside the one that answers


@pytest.mark.parametrize("first", ["answer", "reader"])
def test_it_reads_while_the_answer_waits_for_credit(start_threads: StartThreads, first: str) -> None:
    async def chunks(r: Request) -> AsyncIterator[bytes]:
        reader = asyncio.create_task(read(r))
        if first == "reader":
            await asyncio.sleep(0)
        yield bytes(2 * WINDOW)
        yield await reader

    async def answer(r: Request) -> Response:
        return Response(chunks(r))  # type: ignore[arg-type]

    host = start_threads(answer).host
    stream = host.request(method="POST", end=End.MORE)
    assert len(host.hear_body(WINDOW)) == WINDOW
    host.say(Credit(stream, WINDOW))
    assert len(host.hear_body(WINDOW)) == WINDOW
    host.say(Credit(stream, WINDOW), Data(stream, End.BODY, b"duck"))
    assert host.hear_body(4) == b"duck"


@pytest.mark.parametrize("end", ["answered", "cancelled"])
def test_it_is_told_that_the_request_is_over(start_threads: StartThreads, end: str) -> None:
    begun, over = threading.Event(), threading.Event()
    readers = []

    async def watch(r: Request) -> None:
        with pytest.raises(ClientDisconnected):
            await read(r)
        over.set()

    async def answer(r: Request) -> Response:
        readers.append(asyncio.create_task(watch(r)))
        await asyncio.sleep(0)
        begun.set()
        if end == "cancelled":
            await asyncio.Event().wait()
        return Response("early")

    host = start_threads(answer).host
    stream = host.request(method="POST", end=End.MORE)
    assert begun.wait(WAIT_SECONDS)
    if end == "cancelled":
        host.say(Cancel(stream, "client gone"))
    host.take(stream)
    assert over.wait(WAIT_SECONDS)
