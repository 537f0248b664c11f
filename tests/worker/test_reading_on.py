"""A request that waits for its body, or for credit, reads the wire for all: others are read and run meanwhile, and
nobody's news is lost. Real threads, and gates instead of clocks."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import Mock

import pytest
from werkzeug.wrappers import Request, Response

from endpointd_wire.flow import WINDOW
from endpointd_wire.messages import Credit, Data, End
from endpointd_wire.messages import Response as ResponseMessage
from endpointd_worker import pool
from endpointd_worker.calls import here
from support.eventually import eventually
from support.held import FAST_SOURCE, SLOW_SOURCE, Held, collect
from support.host_end import WAIT_SECONDS
from support.thread_worker import StartThreads, plain


def upload_size(r: Request) -> Response:
    return Response(str(len(r.get_data())))


def test_one_that_waits_for_its_body_lets_others_be_read(start_threads: StartThreads) -> None:
    worker = start_threads(upload_size, plain)
    slow = worker.host.request(source=SLOW_SOURCE, method="POST", end=End.MORE, body=b"12345")
    assert worker.host.ask(source=FAST_SOURCE).body == b"plain"
    worker.host.say(Data(slow, End.MORE, b"678"))
    assert worker.host.ask(source=FAST_SOURCE).body == b"plain"
    worker.host.say(Data(slow, End.BODY, b"90"))
    assert worker.host.take(slow).body == b"10"


def test_one_that_waits_for_credit_lets_others_be_read(start_threads: StartThreads) -> None:
    size = 3 * WINDOW
    worker = start_threads(lambda _: Response(bytes(size)), plain)
    slow = worker.host.request(source=SLOW_SOURCE)
    received = 0
    while received < WINDOW:
        message = worker.host.hear_any()
        assert isinstance(message, ResponseMessage | Data)
        received += len(message.body)
    assert received == WINDOW
    assert worker.host.ask(source=FAST_SOURCE).body == b"plain"
    worker.host.say(Credit(slow, received))
    assert received + len(worker.host.take(slow).body) == size


def test_many_that_wait_for_their_bodies_all_get_them(start_threads: StartThreads) -> None:
    worker = start_threads(upload_size)
    streams = [worker.host.request(method="POST", end=End.MORE) for _ in range(10)]
    for stream in reversed(streams):
        worker.host.say(Data(stream, End.BODY, b"x" * stream))
    assert collect(worker.host, set(streams)) == {stream: str(stream).encode() for stream in streams}


def test_another_thread_of_the_plugins_may_wait_for_the_body(start_threads: StartThreads) -> None:
    def upload(r: Request) -> Response:
        with ThreadPoolExecutor(1) as threads:
            return Response(str(len(threads.submit(r.get_data).result(WAIT_SECONDS))))

    worker = start_threads(upload, plain)
    slow = worker.host.request(source=SLOW_SOURCE, method="POST", end=End.MORE)
    for _ in range(20):
        worker.host.say(Data(slow, End.MORE, b"x"))
        assert worker.host.ask(source=FAST_SOURCE).body == b"plain"
    worker.host.say(Data(slow, End.BODY, b"x"))
    assert worker.host.take(slow).body == b"21"


def test_of_two_threads_of_a_request_its_own_reads(start_threads: StartThreads) -> None:
    """Two would take each other's news off the wire."""

    def both_ways(r: Request) -> Response:
        threads = ThreadPoolExecutor(1)
        received = threads.submit(r.get_data)

        def body() -> Iterator[bytes]:
            yield bytes(2 * WINDOW)
            yield received.result(WAIT_SECONDS)
            threads.shutdown()

        return Response(body())

    worker = start_threads(both_ways)
    stream = worker.host.request(method="POST", end=End.MORE)
    for _ in range(2):
        assert len(worker.host.hear_body(WINDOW)) == WINDOW
        worker.host.say(Credit(stream, WINDOW))
    worker.host.say(Data(stream, End.BODY, b"received"))
    assert worker.host.take(stream).body == b"received"


def test_who_reads_on_hands_over_what_is_to_be_run(
    start_threads: StartThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And does not leave it to the watcher, which does not look here."""
    monkeypatch.setattr(pool, "TICK", 10 * WAIT_SECONDS)
    worker = start_threads(upload_size, plain)
    slow = worker.host.request(source=SLOW_SOURCE, method="POST", end=End.MORE)
    assert worker.host.ask(source=FAST_SOURCE).body == b"plain"
    worker.host.say(Data(slow, End.BODY, b"12"))
    assert worker.host.take(slow).body == b"2"


def test_what_was_read_with_it_does_not_wait_for_whoever_is_woken(
    start_threads: StartThreads, held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "TICK", 10 * WAIT_SECONDS)

    def upload(r: Request) -> Response:
        r.get_data()
        return held(r)

    worker = start_threads(upload, plain)
    slow = worker.host.request(source=SLOW_SOURCE, method="POST", end=End.MORE)
    assert worker.host.ask(source=FAST_SOURCE).body == b"plain"
    fast = worker.host.make_request(stream=slow + 2, source=FAST_SOURCE)
    worker.host.say(Data(slow, End.BODY, b"x"), fast)
    assert worker.host.take(fast.stream).body == b"plain"
    held.gate.set()
    assert worker.host.take(slow).body == b"held"


def test_a_limited_wait_ends_though_nothing_comes(start_threads: StartThreads) -> None:
    def wait(_: Request) -> Response:
        stream = here.stream
        assert stream is not None
        with worker.link.lock:
            stream.wait(0.01)
        return Response("waited")

    worker = start_threads(wait)
    assert worker.host.ask().body == b"waited"


def test_whoever_is_woken_by_what_is_read_reads_on(start_threads: StartThreads) -> None:
    """Unless it takes long meanwhile, which may be the machine's doing."""

    def thread(r: Request) -> Response:
        r.get_data()
        return Response(str(threading.get_ident()))

    worker = start_threads(thread, thread)
    for _ in range(50):
        slow = worker.host.request(source=SLOW_SOURCE, method="POST", end=End.MORE, body=b"1")
        leader = worker.host.ask(source=FAST_SOURCE).body
        worker.host.say(Data(slow, End.BODY, b"2"))
        follower = worker.host.take(slow).body
        assert follower != leader
        if worker.host.ask(source=FAST_SOURCE).body == follower:
            return
    pytest.fail("the former leader is woken each time")


def test_one_that_has_ended_meanwhile_is_not_made_the_leader() -> None:
    """It is parked, and waits for an order."""
    threads = pool.Pool(Mock(), Mock(), Mock())
    leader, other = (pool.Member(threads, pool.Duty.LEAD) for _ in range(2))
    threads.leader = leader
    other.roused()
    threads._promote_roused()
    assert threads.leader is leader
    other.stream = Mock()
    threads._promote_roused()
    assert threads.leader is other


def test_what_a_follower_makes_gathers_once_the_host_asks_for_more(
    start_threads: StartThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never waits would else send each piece by itself, however many there are."""
    gate = threading.Event()

    def body() -> Iterator[bytes]:
        yield b"first"
        assert gate.wait(WAIT_SECONDS)
        yield from [b"x"] * 100

    worker = start_threads(lambda _: Response(body()))
    stream = worker.host.request()
    assert worker.host.hear_body(5) == b"first"
    eventually(lambda: not worker.link.deferring)
    monkeypatch.setattr(pool, "TICK", 10 * WAIT_SECONDS)
    worker.host.say(Credit(stream, 5))
    eventually(lambda: worker.link.deferring)
    gate.set()
    assert worker.host.take(stream).pieces == [b"x" * 100]
