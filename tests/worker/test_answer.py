"""What a plugin returns, as its client gets it; and what is closed, whatever happens."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from werkzeug.exceptions import NotFound, abort
from werkzeug.utils import redirect, send_file
from werkzeug.wrappers import Request, Response

from endpointd_wire.messages import Failed
from endpointd_worker.answer import MAX_HEAD
from endpointd_worker.logs import own_log
from endpointd_worker.streams import FLUSH_SIZE
from support.host_end import WAIT_SECONDS
from support.thread_worker import Chunks, Kind, Logged, StartThreads, answering, plain

pytestmark = pytest.mark.parametrize("start_threads", Kind, indirect=True, ids=lambda kind: kind.value)

# Kinds of answers


@pytest.mark.parametrize(
    ("make", "body"),
    [
        (lambda: Response("text"), b"text"),
        (lambda: Response(b"bytes"), b"bytes"),
        (lambda: Response(), b""),
        (lambda: Response(["a", b"b", "", "ü"]), "abü".encode()),  # type: ignore[arg-type]
        (lambda: Response(str(number) for number in range(3)), b"012"),
        (lambda: Response(map(str, (1, 2))), b"12"),
        (lambda: Response(Chunks(b"x", b"y")), b"xy"),  # type: ignore[arg-type]
        (lambda: Response(iter([bytearray(b"a"), memoryview(b"b")])), b"ab"),  # type: ignore[arg-type]
        (lambda: Response(Chunks("ä", "b"), direct_passthrough=True), "äb".encode()),  # type: ignore[arg-type]
    ],
)
def test_every_iterable_is_a_body(start_threads: StartThreads, make: Callable[[], Response], body: bytes) -> None:
    answer = start_threads(lambda _: make()).host.ask()
    assert (answer.status, answer.body) == (200, body)


def test_a_head_is_sent_as_it_was_made(start_threads: StartThreads) -> None:
    def answer(_: Request) -> Response:
        response = Response("body", status=418, headers=[("X-B", "1"), ("x-a", "ü"), ("X-B", "2")])
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response

    got = start_threads(answer).host.ask()
    assert got.status == 418
    names = [name for name, _ in got.headers]
    assert names == [b"X-B", b"x-a", b"X-B", b"Content-Type", b"Content-Length", b"Set-Cookie", b"Set-Cookie"]
    assert [value for name, value in got.headers if name == b"X-B"] == [b"1", b"2"]
    assert (b"x-a", "ü".encode("latin-1")) in got.headers


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_what_has_no_body_gets_none(start_threads: StartThreads, method: str, status: int) -> None:
    chunks = Chunks(b"body")
    answer = start_threads(lambda _: Response(chunks, status=status)).host.ask(method=method)  # type: ignore[arg-type]
    assert (answer.status, answer.body) == (status, b"")
    assert not isinstance(answer.last, Failed)
    assert chunks.closed == 1


def test_a_file_is_sent_and_closed(start_threads: StartThreads, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(bytes(range(256)) * 4000)
    closed: list[str] = []

    def answer(r: Request) -> Response:
        response = send_file(path, r.environ)
        response.call_on_close(lambda: closed.append("called"))
        return response

    assert start_threads(answer).host.ask().body == path.read_bytes()
    assert closed == ["called"]


def test_an_application_and_a_redirect_are_answers(start_threads: StartThreads) -> None:
    def application(environ: object, start_response: Callable[..., object]) -> list[bytes]:  # noqa: ARG001
        start_response("202 Accepted", [("X-From", "app")])
        return [b"from ", b"app"]

    worker = start_threads(lambda r: Response.from_app(application, r.environ), lambda _: redirect("/elsewhere", 307))
    answer = worker.host.ask()
    assert (answer.status, answer.body, answer.headers[0]) == (202, b"from app", (b"X-From", b"app"))
    answer = worker.host.ask(source=1)
    assert answer.status == 307
    assert (b"Location", b"/elsewhere") in answer.headers


# HTTP exceptions


@pytest.mark.parametrize("status", [404, 413])
def test_an_http_exception_is_its_own_answer(start_threads: StartThreads, status: int, logged: Logged) -> None:
    answer = start_threads(lambda _: abort(status)).host.ask()
    assert answer.status == status
    assert not isinstance(answer.last, Failed)
    assert logged() == ""


def test_an_http_exception_in_a_body_replaces_a_head_that_has_not_left(start_threads: StartThreads) -> None:
    def body() -> Iterator[str]:
        yield ""
        raise NotFound

    worker = start_threads(lambda _: Response(body()), pool=False)
    worker.link.deferring = True
    stream = worker.host.request()
    worker.run(worker.receive_stream())
    assert worker.host.take(stream).status == 404


def test_an_http_exception_after_the_head_breaks_the_answer(start_threads: StartThreads) -> None:
    first = bytes(FLUSH_SIZE)

    def body() -> Iterator[bytes]:
        yield first
        raise NotFound

    answer = start_threads(lambda _: Response(body()), pool=False)
    stream = answer.host.request()
    running = threading.Thread(target=answer.run, args=[answer.receive_stream()])
    running.start()
    got = answer.host.take(stream)
    running.join(WAIT_SECONDS)
    assert (got.status, got.body, type(got.last)) == (200, first, Failed)


# What is no answer


async def coroutine_function() -> None:
    """Called, and never awaited."""


@pytest.mark.parametrize(
    ("value", "explanation"),
    [
        ("text", "_invoke returned a str; return werkzeug.Response(...) with it instead"),
        (b"bytes", r"_invoke returned a bytes; return werkzeug.Response"),
        (None, "_invoke returned None"),
        ({"a": 1}, "_invoke returned a dict; return a werkzeug.Response, such as Response(json.dumps(...))"),
        (7, "_invoke returned an int"),
        (Response({"a": 1}.items()), "body yielded a tuple; yield str or bytes instead"),  # type: ignore[arg-type]
        (Response(Chunks(7)), "body yielded an int"),  # type: ignore[arg-type]
        (Response("x", headers={"X-A": "v" * MAX_HEAD}), "the response's headers have"),
        (Response("x", headers={"X-Ж": "v"}), "the header 'X-Ж': 'v', where 'Ж' cannot be sent; write ASCII"),
        (Response("x", headers={"X-A": "\udce9"}), r"the header 'X-A': '\udce9', where '\udce9' cannot be sent"),
    ],
)
@pytest.mark.parametrize("development", [False, True])
def test_what_is_no_answer_is_explained_to_its_author_alone(
    start_threads: StartThreads, logged: Logged, value: object, explanation: str, development: bool
) -> None:
    worker = start_threads(answering(value), plain, development=development)
    last = worker.host.ask(path=b"/duck").last
    assert isinstance(last, Failed)
    assert last.code == "bad_answer"
    lines = [line for line in logged().splitlines() if "GET /duck: " in line]
    assert len(lines) == 1
    assert explanation in lines[0]
    assert lines[0].endswith(last.detail)
    assert bool(last.detail) == development
    assert worker.host.ask(source=1).body == b"plain"


def test_a_coroutine_is_explained(start_threads: StartThreads, logged: Logged) -> None:
    coroutine = coroutine_function()
    assert isinstance(start_threads(answering(coroutine)).host.ask().last, Failed)
    assert "_invoke returned a coroutine, and is no 'async def'" in logged()
    coroutine.close()


@pytest.mark.parametrize("kind", [ValueError, SystemExit, KeyboardInterrupt, GeneratorExit])
@pytest.mark.parametrize("development", [False, True])
def test_an_exception_is_logged_and_told_to_nobody_else(
    start_threads: StartThreads, logged: Logged, kind: type[BaseException], development: bool
) -> None:
    def raise_it(_: Request) -> Response:
        raise kind

    worker = start_threads(raise_it, plain, development=development)
    last = worker.host.ask().last
    assert isinstance(last, Failed)
    assert last.code == "exception"
    assert (kind.__name__ in last.detail) == development
    assert bool(last.detail) == development
    assert kind.__name__ in logged()
    assert "Traceback (most recent call last)" in logged()
    assert worker.host.ask(source=1).body == b"plain"


def test_a_traceback_that_cannot_travel_is_cut(start_threads: StartThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nor could it from one process of the tests to the other.
    monkeypatch.setattr(own_log, "disabled", True)

    def fail(_: Request) -> Response:
        raise ValueError("\udc80" + "x" * 2_000_000)

    last = start_threads(fail, development=True).host.ask().last
    assert isinstance(last, Failed)
    assert last.code == "exception"
    assert "ValueError: ?xxx" in last.detail
    assert last.detail.endswith("more characters)")
