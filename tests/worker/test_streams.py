"""A thread that is about to wait: it first sends what it has made, and lets another read the wire. Without a pool, so
that nobody else does either."""

import threading
from collections.abc import Iterator

import pytest
from werkzeug.wrappers import Request, Response

from endpointd_wire.connection import WINDOW
from endpointd_wire.messages import Cancel, Closed, Credit, Data, End
from endpointd_worker.streams import Stream
from support.host_end import WAIT_SECONDS
from support.thread_worker import Invoke, Logged, StartThreads, ThreadWorker


def echo(r: Request) -> Response:
    """Answers with a greeting, then with the request's body."""

    def body() -> Iterator[bytes]:
        yield b"hello "
        yield r.get_data()

    return Response(body())


def large(_: Request) -> Response:
    return Response([bytes(100_000)] * (2 * WINDOW // 100_000))


class Run:
    """One request on a thread of its own."""

    def __init__(self, worker: ThreadWorker, end: End) -> None:
        worker.link.deferring = True
        self.worker = worker
        self.id = worker.host.request(method="POST", end=end)
        self.handed_over = threading.Event()
        stream: Stream = worker.receive_stream()
        stream.before_wait = self.handed_over.set
        self.thread = threading.Thread(target=worker.invoker.run, args=[stream])
        self.thread.start()

    def join(self) -> None:
        self.thread.join(WAIT_SECONDS)
        assert not self.thread.is_alive()


def run(start_threads: StartThreads, function: Invoke, end: End = End.BODY) -> Run:
    return Run(start_threads(function, pool=False), end)


def test_before_it_waits_for_a_body(start_threads: StartThreads) -> None:
    running = run(start_threads, echo, End.MORE)
    worker = running.worker
    assert worker.host.hear_body(6) == b"hello "
    assert running.handed_over.wait(WAIT_SECONDS)
    worker.host.say(Data(running.id, End.BODY, b"duck"))
    assert worker.link.receive() == []
    assert worker.host.take(running.id).body == b"duck"
    running.join()


def test_before_it_waits_for_credit(start_threads: StartThreads) -> None:
    running = run(start_threads, large)
    worker = running.worker
    received = len(worker.host.hear_body(WINDOW // 100_000 * 100_000))
    assert running.handed_over.wait(WAIT_SECONDS)
    worker.host.say(Credit(running.id, received))
    assert worker.link.receive() == []
    # The second half is less than the window, so that no more credit is needed.
    assert len(worker.host.hear_body(2 * WINDOW // 100_000 * 100_000 - received)) > 0
    running.join()


def test_one_that_need_not_wait_hands_nothing_over(start_threads: StartThreads) -> None:
    running = run(start_threads, echo)
    assert running.worker.host.take(running.id).body == b"hello "
    running.join()
    assert not running.handed_over.is_set()


@pytest.mark.parametrize(
    ("function", "end", "made"), [(echo, End.MORE, 6), (large, End.BODY, WINDOW // 100_000 * 100_000)]
)
def test_a_cancel_ends_the_wait_and_is_no_failure(
    start_threads: StartThreads, logged: Logged, function: Invoke, end: End, made: int
) -> None:
    running = run(start_threads, function, end)
    worker = running.worker
    worker.host.hear_body(made)
    assert running.handed_over.wait(WAIT_SECONDS)
    worker.host.say(Cancel(running.id, "client gone"))
    assert worker.link.receive() == []
    assert type(worker.host.take(running.id).last) is Closed
    running.join()
    assert logged() == ""
