"""The bodies of requests whose endpoints are tasks of a loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from hashlib import sha256

import pytest
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wrappers import Request, Response

from endpointd_wire.flow import WINDOW
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import Cancel, Credit, Data, End, Failed, Headers
from endpointd_wire.messages import Response as ResponseMessage
from endpointd_worker.tasks.body import WouldBlock
from support.echoes import in_a_thread, piece_by_piece
from support.host_end import WAIT_SECONDS, HostEnd
from support.thread_worker import AsyncInvoke, Kind, Logged, StartThreads

pytestmark = pytest.mark.parametrize("start_threads", [Kind.TASK], indirect=True, ids=["task"])


LINES = b"first\nsecond\n\nthe last"


async def read(r: Request) -> bytes:
    return b"".join([chunk async for chunk in r.stream])  # type: ignore[attr-defined]


def send(host: HostEnd, body: bytes, headers: Headers) -> int:
    """Send a request with a body, which is to be read before it is answered; returns its stream."""
    pieces = [body[start : start + MAX_PIECE] for start in range(0, len(body), MAX_PIECE)] or [b""]
    ends = [End.MORE] * (len(pieces) - 1) + [End.BODY]
    stream = host.request(method="POST", headers=headers, body=pieces[0], end=ends[0])
    for piece, end in zip(pieces[1:], ends[1:], strict=True):
        while host.connection.window(stream) < len(piece):
            host.hear(Credit)
        host.say(Data(stream, end, piece))
    return stream


def answer_of(host: HostEnd, stream: int) -> ResponseMessage:
    """The answer, after what is left of the credit."""
    while isinstance(message := host.hear_any(), Credit):
        pass
    assert isinstance(message, ResponseMessage), message
    assert message.stream == stream
    return message


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize("size", [0, 5, MAX_PIECE + 1, WINDOW, 2 * WINDOW + 1])
def test_one_of_any_size_is_read_piece_by_piece(start_threads: StartThreads, size: int, announced: bool) -> None:
    async def answer(r: Request) -> Response:
        return Response(sha256(await read(r)).hexdigest())

    body = (LINES * (size // len(LINES) + 1))[:size]
    host = start_threads(answer).host
    stream = send(host, body, ((b"content-length", b"%d" % size),) if announced else ())
    assert answer_of(host, stream).body == sha256(body).hexdigest().encode()


def test_a_large_piece_is_given_as_soon_as_it_has_come(start_threads: StartThreads) -> None:
    """The client may wait for the answer to it before it says more."""
    host = start_threads(piece_by_piece).host
    body = bytes(100_000)
    stream = host.request(method="POST", end=End.MORE)
    host.say(Data(stream, End.MORE, body))
    assert host.hear_body(len(body)) == body
    host.say(Data(stream, End.BODY, b"duck"))
    assert host.take(stream).body == b"duck"


def test_a_short_body_is_there_from_the_beginning(start_threads: StartThreads) -> None:
    async def answer(r: Request) -> Response:
        return Response(r.get_data())

    host = start_threads(answer).host
    stream = host.request(method="POST", headers=[[b"Content-Length", b"4"]], end=End.MORE, body=b"du")
    host.say(Data(stream, End.MORE, b"c"))
    host.say(Data(stream, End.BODY, b"k"))
    assert host.take(stream).body == b"duck"


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


BOUNDARY = b"--duck\r\nContent-Disposition: form-data; name=x\r\n\r\n"
FORM = ((b"content-type", b"multipart/form-data; boundary=duck"),)


@pytest.mark.parametrize(
    "directly",
    [
        lambda r: r.get_data(),
        lambda r: r.form,
        lambda r: r.stream.readline(),
        lambda r: r.stream.readinto(bytearray(200_000)),
    ],
    ids=["data", "form", "line", "into"],
)
def test_what_the_loop_could_not_wait_for_is_all_there_for_a_thread(
    start_threads: StartThreads, directly: Callable[[Request], object]
) -> None:
    refused = threading.Event()

    async def answer(r: Request) -> Response:
        with pytest.raises(WouldBlock):
            directly(r)
        refused.set()
        return await in_a_thread(r)

    host = start_threads(answer).host
    begin, rest = BOUNDARY + bytes(100_000), b"\r\n--duck--\r\n"
    stream = host.request(method="POST", headers=FORM, end=End.MORE, body=begin)
    assert refused.wait(WAIT_SECONDS)
    host.say(Data(stream, End.BODY, rest))
    assert host.take(stream).body == begin + rest


# As a file


def test_it_is_read_as_a_file_by_a_thread(start_threads: StartThreads) -> None:
    def parts(r: Request) -> list[bytes]:
        file = r.stream
        lines = [file.readline(3), file.readline(), file.read(4), file.read(0), file.read1(100)]  # type: ignore[attr-defined]
        return lines + file.readlines() + [file.readline(), file.read(), file.read1()]  # type: ignore[attr-defined]

    async def answer(r: Request) -> Response:
        return Response(repr(await asyncio.to_thread(parts, r)))

    host = start_threads(answer).host
    stream = host.request(method="POST", end=End.MORE, body=b"first\nsec")
    host.say(Data(stream, End.MORE, b"ond\n\nthe"), Data(stream, End.BODY, b" last"))
    expected = [b"fir", b"st\n", b"seco", b"", b"nd\n\nthe", b" last", b"", b"", b""]
    assert host.take(stream).body == repr(expected).encode()


def test_what_a_thread_has_left_is_there_for_the_loop(start_threads: StartThreads) -> None:
    async def answer(r: Request) -> Response:
        await asyncio.to_thread(r.stream.read, 4)
        return await piece_by_piece(r)

    host = start_threads(answer).host
    host.request(method="POST", end=End.MORE, body=b"not that duck")
    assert host.hear_body(9) == b"that duck"


def test_the_loop_reads_it_as_a_file_when_all_of_it_has_come(start_threads: StartThreads) -> None:
    async def answer(r: Request) -> Response:
        await asyncio.to_thread(r.stream.read, 4)
        return Response(r.get_data())

    host = start_threads(answer).host
    stream = host.request(method="POST", end=End.MORE, body=b"not")
    host.say(Data(stream, End.BODY, b" this"))
    assert host.take(stream).body == b"this"


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
