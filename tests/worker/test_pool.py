"""Who waits for whom among the requests at a worker: nobody for another's thread. Real threads, and gates instead of
clocks: a test that a request overtakes another one holds the other one until it has."""

import random
import threading
import weakref
from collections.abc import Iterator
from functools import partial

import pytest
from werkzeug.wrappers import Request, Response

from endpointd_wire.messages import Cancel, Closed, Data, Drain, Drained, End, Ping, Pong
from endpointd_wire.messages import Response as ResponseMessage
from endpointd_worker.link import HostGone
from endpointd_worker.pool import Member
from endpointd_worker.streams import FLUSH_SIZE, Stream
from support.held import FAST_SOURCE, SLOW_SOURCE, Held, collect
from support.host_end import WAIT_SECONDS
from support.thread_worker import StartThreads, ThreadWorker, plain

# Slow and fast


def test_a_slow_request_delays_no_fast_one(start_threads: StartThreads, held: Held) -> None:
    worker = start_threads(held, plain)
    slow = worker.host.request(source=SLOW_SOURCE)
    held.wait_for(1)
    for _ in range(20):
        assert worker.host.ask(source=FAST_SOURCE).body == b"plain"
    held.gate.set()
    assert worker.host.take(slow).body == b"held"


def test_a_fast_request_read_together_with_a_slow_one_does_not_wait(start_threads: StartThreads, held: Held) -> None:
    worker = start_threads(held, plain)
    slow = worker.host.make_request(source=SLOW_SOURCE)
    fast = [slow._replace(stream=slow.stream + number, source=FAST_SOURCE) for number in (1, 2, 3)]
    worker.host.say(slow, *fast)
    bodies = collect(worker.host, {request.stream for request in fast})
    assert set(bodies.values()) == {b"plain"}
    held.gate.set()
    assert worker.host.take(slow.stream).body == b"held"


def test_an_answer_that_waits_for_company_does_not_wait_for_a_slow_one(start_threads: StartThreads, held: Held) -> None:
    worker = start_threads(held, plain)
    for _ in range(20):
        slow = worker.host.make_request(source=SLOW_SOURCE)
        fast = slow._replace(stream=slow.stream + 1, source=FAST_SOURCE)
        last = slow._replace(stream=slow.stream + 2)
        worker.host.say(slow._replace(source=FAST_SOURCE), fast, last)
        assert set(collect(worker.host, {slow.stream, fast.stream}).values()) == {b"plain"}
        held.gate.set()
        assert worker.host.take(last.stream).body == b"held"
        held.gate.clear()


def test_as_many_run_at_once_as_are_asked_for(start_threads: StartThreads, held: Held) -> None:
    worker = start_threads(held)
    slow = worker.host.make_request(source=SLOW_SOURCE)
    worker.host.say(*(slow._replace(stream=number) for number in range(1, 21)))
    held.wait_for(20)
    held.gate.set()
    assert set(collect(worker.host, set(range(1, 21))).values()) == {b"held"}


def test_what_is_cancelled_before_it_begins_is_not_begun(start_threads: StartThreads) -> None:
    begun = []

    def begin(request: Request) -> Response:
        begun.append(request)
        return plain(request)

    worker = start_threads(begin)
    unwanted = worker.host.make_request()
    worker.host.say(unwanted, Cancel(unwanted.stream, "client gone"))
    assert worker.host.hear(Closed) == Closed(unwanted.stream)
    assert begun == []


def test_a_ping_is_answered_while_all_threads_are_busy(start_threads: StartThreads, held: Held) -> None:
    worker = start_threads(held)
    for count in range(1, 4):
        worker.host.request()
        held.wait_for(1)
        worker.host.say(Ping(count))
        assert worker.host.hear(Pong) == Pong(count)


def test_threads_are_used_again(start_threads: StartThreads, held: Held) -> None:
    """As many threads as requests at once and two to lead and to watch, however often that happens; and as many again,
    because those that have answered may not be back when the next requests come."""
    worker = start_threads(held)
    counts = []
    for _ in range(5):
        streams = {worker.host.request() for _ in range(5)}
        held.wait_for(5)
        counts.append(sum(thread.name == "endpointd" for thread in threading.enumerate()))
        held.gate.set()
        collect(worker.host, streams)
        held.gate.clear()
    assert counts[-1] - counts[0] <= 5


class LateReader:
    """Holds the first leader that wants to wait for a body until another one, which leads by then, does so."""

    def __init__(self, worker: ThreadWorker, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_late, self._others_read, self._is_through, self.is_settled = (threading.Event() for _ in range(4))
        self.reads_twice = False
        """Whether two threads were at the wire at once."""
        self._read = Member.read
        self._receive, self._stop_deferring = worker.link.receive, worker.link.stop_deferring
        self._another: Member | None = None
        self._at_the_wire = threading.Lock()
        monkeypatch.setattr(Member, "read", lambda member, timeout: self._wait(member, timeout))
        monkeypatch.setattr(worker.link, "receive", self._take)
        monkeypatch.setattr(worker.link, "stop_deferring", self._fall_asleep)

    def _wait(self, member: Member, timeout: float | None) -> None:
        if self.is_late.is_set():
            self._another = member
            self._read(member, timeout)
        else:
            self.is_late.set()
            assert self._others_read.wait(WAIT_SECONDS)
            self._read(member, timeout)
            self._is_through.set()

    def _take(self, timeout: float | None = None) -> list[Stream]:
        if not self._at_the_wire.acquire(blocking=False):
            self.reads_twice = True
            self.is_settled.set()
        if self._another is not None:
            self._others_read.set()
        try:
            return self._receive(timeout)
        finally:
            self._at_the_wire.release()

    def _fall_asleep(self) -> None:
        """The watcher finds nobody stuck."""
        if self._others_read.is_set():
            self._is_through.wait(WAIT_SECONDS)
            self.is_settled.set()
        self._stop_deferring()


def test_one_thread_reads_though_another_was_about_to(
    start_threads: StartThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A leader that is about to wait for its request's body, and is replaced at that very moment."""
    worker = start_threads(lambda r: Response(r.get_data()))
    late = LateReader(worker, monkeypatch)
    first = worker.host.request(method="POST", end=End.MORE)
    assert late.is_late.wait(WAIT_SECONDS)
    second = worker.host.request(method="POST", end=End.MORE)
    assert late.is_settled.wait(WAIT_SECONDS)
    assert not late.reads_twice
    worker.host.say(Data(second, End.BODY, b"second"), Data(first, End.BODY, b"first"))
    assert collect(worker.host, {first, second}) == {first: b"first", second: b"second"}


# Order


def test_a_body_arrives_in_order_and_whole(start_threads: StartThreads) -> None:
    chance = random.Random(7)
    chunks = [bytes([number % 256]) * chance.choice([0, 1, 100, 4096, 70_000]) for number in range(300)]
    chunks.append(bytes(range(256)) * 4000)
    worker = start_threads(lambda _: Response(iter(chunks)))
    assert worker.host.ask().body == b"".join(chunks)


def test_many_bodies_at_once_do_not_mix(start_threads: StartThreads) -> None:
    def numbered(r: Request) -> Response:
        return Response(r.query_string + b";" for _ in range(200))

    worker = start_threads(numbered)
    requests = [worker.host.make_request(stream=number, query=b"%d" % number) for number in range(1, 17)]
    worker.host.say(*requests)
    bodies = collect(worker.host, {request.stream for request in requests})
    assert bodies == {request.stream: (request.query + b";") * 200 for request in requests}


# Frames that leave together


def test_a_quick_answer_is_one_frame(start_threads: StartThreads) -> None:
    worker = start_threads(lambda _: Response(str(number) for number in range(50)), pool=False)
    worker.link.deferring = True
    worker.host.request()
    worker.run(worker.receive_stream())
    message = worker.host.hear(ResponseMessage)
    assert (message.end, message.body) == (End.STREAM, "".join(map(str, range(50))).encode())


def test_what_was_made_leaves_before_the_thread_waits_for_a_body(start_threads: StartThreads) -> None:
    def echo(r: Request) -> Response:
        return Response(iter(partial(r.stream.read1, 100), b""))  # type: ignore[attr-defined]

    worker = start_threads(echo)
    worker.link.deferring = True
    stream = worker.host.request(method="POST", end=End.MORE, body=b"first")
    assert worker.host.hear_body(5) == b"first"
    for piece in (b"second", b"third"):
        worker.host.say(Data(stream, End.MORE, piece))
        assert worker.host.hear_body(len(piece)) == piece
    worker.host.say(Data(stream, End.BODY, b""))
    assert worker.host.take(stream).body == b""


@pytest.mark.parametrize("warm", [0, 50])
def test_a_chunk_arrives_while_the_next_one_is_made(start_threads: StartThreads, warm: int) -> None:
    gate = threading.Semaphore(0)

    def slowly() -> Iterator[str]:
        for number in range(3):
            yield str(number)
            assert gate.acquire(timeout=WAIT_SECONDS)

    worker = start_threads(plain, lambda _: Response(slowly()))
    for _ in range(warm):
        worker.host.ask(source=0)
    stream = worker.host.request(source=1)
    received = b""
    for expected in (b"0", b"01", b"012"):
        while received != expected:
            message = worker.host.hear_any()
            assert isinstance(message, ResponseMessage | Data)
            assert message.end == End.MORE
            received += message.body
        gate.release()
    assert worker.host.take(stream).body == b""


def test_output_is_not_held_back_beyond_a_size(start_threads: StartThreads) -> None:
    gate = threading.Event()

    def quickly() -> Iterator[bytes]:
        yield b"x" * (FLUSH_SIZE // 2)
        yield b"y" * (FLUSH_SIZE // 2)
        assert gate.wait(WAIT_SECONDS)

    worker = start_threads(lambda _: Response(quickly()), pool=False)
    worker.link.deferring = True
    worker.host.request()
    thread = threading.Thread(target=worker.invoker.run, args=[worker.receive_stream()])
    thread.start()
    assert len(worker.host.hear(ResponseMessage).body) == FLUSH_SIZE
    gate.set()
    thread.join(WAIT_SECONDS)


# The end


def test_the_end_of_the_wire_is_told(start_threads: StartThreads) -> None:
    worker = start_threads(plain)
    worker.host.wire.close()
    assert isinstance(worker.wait_until_lost()[0], HostGone)
    assert worker.link.is_lost


def test_the_end_of_the_wire_frees_whoever_waits_on_it(start_threads: StartThreads) -> None:
    freed = threading.Event()

    def wait(r: Request) -> Response:
        try:
            return Response(r.get_data())
        finally:
            freed.set()

    worker = start_threads(wait)
    worker.host.request(method="POST", end=End.MORE)
    worker.host.wire.close()
    assert freed.wait(WAIT_SECONDS)


def test_nothing_is_said_to_a_host_that_is_gone(
    start_threads: StartThreads, capsys: pytest.CaptureFixture[str]
) -> None:
    worker = start_threads(plain, pool=False)
    worker.host.request()
    stream = worker.receive_stream()
    worker.host.wire.close()
    with pytest.raises(HostGone):
        worker.link.receive()
    worker.invoker.run(stream)
    assert capsys.readouterr().err == ""


def test_a_host_that_breaks_the_protocol_is_told(start_threads: StartThreads) -> None:
    worker = start_threads(plain)
    worker.host.wire.sendall(b"GET / HTTP/1.1\r\n\r\n")
    assert "announces" in str(worker.wait_until_lost()[0])


def test_a_drained_worker_is_idle_when_its_last_stream_is_over(start_threads: StartThreads, held: Held) -> None:
    worker = start_threads(held)
    stream = worker.host.request()
    held.wait_for(1)
    worker.host.say(Drain(), Ping(1))
    worker.host.hear(Pong)
    assert not worker.link.idle.is_set()
    held.gate.set()
    worker.host.take(stream)
    assert worker.link.idle.wait(WAIT_SECONDS)


def test_a_drained_worker_without_streams_is_idle_at_once(start_threads: StartThreads) -> None:
    worker = start_threads(plain)
    worker.host.say(Drain())
    assert worker.link.idle.wait(WAIT_SECONDS)


def test_what_the_host_said_before_it_could_hear_of_the_end_is_passed_over(start_threads: StartThreads) -> None:
    worker = start_threads(pool=False)
    worker.host.say(Drain())
    assert worker.link.receive() == []
    worker.link.send(Drained())
    worker.host.say(Ping(1))
    assert worker.link.receive() == []
    assert worker.host.hear_any() == Drained()
    worker.host.wire.close()
    with pytest.raises(HostGone):
        worker.link.receive()


def test_a_parked_thread_keeps_no_request(start_threads: StartThreads) -> None:
    forgotten = [threading.Event() for _ in range(20)]
    events = iter(forgotten)

    def read(r: Request) -> Response:
        size = str(len(r.get_data()))
        weakref.finalize(r.environ["wsgi.input"].raw._read_piece.__self__, next(events).set)
        return Response(size)

    worker = start_threads(read)
    # So often that the source is known to wait, and goes to followers at once.
    for _ in forgotten:
        stream = worker.host.request(method="POST", end=End.MORE, body=b"12345")
        for number in range(100):
            worker.host.say(Ping(number))
            worker.host.hear(Pong)
        worker.host.say(Data(stream, End.BODY, b""))
        assert worker.host.take(stream).body == b"5"
    assert [event.wait(WAIT_SECONDS) for event in forgotten] == [True] * 20
