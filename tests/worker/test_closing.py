"""What is closed when an answer is over, once and whatever happens; and how a cancel reaches what makes a body."""

from collections.abc import Iterator
from threading import Event

import pytest
from werkzeug.wrappers import Request, Response

from endpointd_wire.messages import Cancel, Closed, Data, End, Failed
from endpointd_wire.messages import Response as ResponseMessage
from support.host_end import WAIT_SECONDS
from support.thread_worker import Chunks, Kind, Logged, StartThreads, answering

pytestmark = pytest.mark.parametrize("start_threads", Kind, indirect=True, ids=lambda kind: kind.value)


class Watched:
    """A response whose end is watched."""

    def __init__(self, chunks: Chunks, *, status: int = 200) -> None:
        self.chunks = chunks
        self.called: list[str] = []
        self.done = Event()
        self.response = Response(chunks, status=status)  # type: ignore[arg-type]
        self.response.call_on_close(self._call)

    def _call(self) -> None:
        self.called.append("called")
        self.done.set()

    def assert_closed_once(self) -> None:
        assert self.done.wait(WAIT_SECONDS)
        assert (self.chunks.closed, self.called) == (1, ["called"])


@pytest.mark.parametrize("chunks", [(), (b"a", b"b"), (b"x" * 300_000,)], ids=len)
@pytest.mark.parametrize("fails", [False, True])
def test_a_response_is_closed_once(
    start_threads: StartThreads, chunks: tuple[bytes, ...], fails: bool, logged: Logged
) -> None:
    watched = Watched(Chunks(*chunks, error=ValueError("midway") if fails else None))
    answer = start_threads(answering(watched.response)).host.ask()
    assert isinstance(answer.last, Failed) == fails
    watched.assert_closed_once()
    assert ("ValueError: midway" in logged()) == fails


def test_a_response_that_yields_nonsense_is_closed_once(start_threads: StartThreads) -> None:
    watched = Watched(Chunks(b"a", 7))
    start_threads(answering(watched.response)).host.ask()
    watched.assert_closed_once()


def test_an_exception_while_closing_breaks_the_answer_and_is_logged(
    start_threads: StartThreads, logged: Logged
) -> None:
    def fail() -> None:
        raise RuntimeError("at the end")

    response = Response("body")
    response.call_on_close(fail)
    assert isinstance(start_threads(answering(response)).host.ask().last, Failed)
    assert "RuntimeError: at the end" in logged()


def test_a_cancel_closes_a_body_that_yields(start_threads: StartThreads) -> None:
    watched: list[str] = []

    def body() -> Iterator[bytes]:
        try:
            while True:
                yield b"x" * 1000
        except GeneratorExit:
            watched.append("GeneratorExit")
            raise

    def answer(_: Request) -> Response:
        response = Response(body())
        response.call_on_close(lambda: watched.append("closed"))
        return response

    worker = start_threads(answer)
    stream = worker.host.request()
    assert worker.host.hear(ResponseMessage).stream == stream
    worker.host.say(Cancel(stream, "client gone"))
    assert type(worker.host.take(stream).last) is Closed
    assert watched == ["GeneratorExit", "closed"]


def test_a_cancel_is_noticed_between_empty_chunks(start_threads: StartThreads) -> None:
    """A body may have nothing to say for a long time, and yield nothing to find out whether anybody listens."""
    begun = Event()

    def nothing() -> bytes:
        begun.set()
        return b""

    worker = start_threads(lambda _: Response(iter(nothing, None)))
    stream = worker.host.request()
    assert begun.wait(WAIT_SECONDS)
    worker.host.say(Cancel(stream, "client gone"))
    assert type(worker.host.take(stream).last) is Closed


def test_a_cancel_reaches_a_body_that_waits_for_credit(start_threads: StartThreads) -> None:
    watched = Watched(Chunks(*[b"x" * 100_000] * 1000))
    worker = start_threads(answering(watched.response))
    stream = worker.host.request()
    received = 0
    while received < 500_000:
        message = worker.host.hear_any()
        assert isinstance(message, ResponseMessage | Data)
        received += len(message.body)
    worker.host.say(Cancel(stream, "client gone"))
    assert type(worker.host.take(stream).last) is Closed
    watched.assert_closed_once()


def test_a_request_is_closed_with_its_files(start_threads: StartThreads) -> None:
    kept: list[Request] = []

    def answer(r: Request) -> Response:
        kept.append(r)
        r.files["f"].read()
        return Response("read")

    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n' + bytes(600_000) + b"\r\n--x--\r\n"
    headers = [[b"content-type", b"multipart/form-data; boundary=x"], [b"content-length", b"%d" % len(body)]]
    worker = start_threads(answer)
    stream = worker.host.request(method="POST", headers=headers, end=End.MORE, body=body[:200_000])
    worker.host.say(Data(stream, End.MORE, body[200_000:400_000]), Data(stream, End.BODY, body[400_000:]))
    while worker.host.connection.is_open(stream):
        worker.host.hear_any()
    assert kept[0].files["f"].closed


def test_a_response_whose_head_cannot_be_made_is_closed_once(start_threads: StartThreads, logged: Logged) -> None:
    watched = Watched(Chunks(b"body"))
    watched.response.headers["Location"] = "http://["
    assert isinstance(start_threads(answering(watched.response)).host.ask().last, Failed)
    watched.assert_closed_once()
    assert "Invalid IPv6 URL" in logged()
