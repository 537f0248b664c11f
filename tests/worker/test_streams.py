"""A thread that is about to wait: it first sends what it has made, and lets another read the wire. Without a pool, so
that nobody else does either."""

import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import Mock

import pytest
from werkzeug.exceptions import ClientDisconnected, NotFound
from werkzeug.wrappers import Request, Response

from endpointd_wire.flow import WINDOW
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.memory import LARGE, RING, SIZE, Ring, RingReader
from endpointd_wire.messages import Cancel, Closed, Credit, Data, End, Stored
from endpointd_wire.messages import Response as ResponseMessage
from endpointd_worker.link import MAX_BUFFERS, MAX_DEFERRED
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


class Leader:
    """What a stream knows of a thread that leads, and hands over when it is to read."""

    def __init__(self, hand_over: Callable[[], None]) -> None:
        self.is_current = self.is_leader = True
        self._hand_over = hand_over

    def read(self, _timeout: float | None) -> None:
        self.is_leader = False
        self._hand_over()

    def roused(self) -> None:
        """It does not become the leader again."""


class Run:
    """One request on a thread of its own."""

    def __init__(self, worker: ThreadWorker, end: End, before_wait: Callable[[], None] | None = None) -> None:
        worker.link.deferring = True
        self.worker = worker
        self.id = worker.host.request(method="POST", end=end)
        self.handed_over = threading.Event()
        stream: Stream = worker.receive_stream()
        stream.reader = Leader(before_wait or self.handed_over.set)
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


def test_a_thread_is_told_what_has_come_only_when_it_waits_for_it(start_threads: StartThreads) -> None:
    worker = start_threads(echo, pool=False)
    worker.host.request(method="POST", end=End.MORE)
    stream = worker.receive_stream()
    stream.reader = reader = Mock(is_current=True, is_leader=False)
    # While it waits, the wire is read.
    stream._waiter = Mock()
    stream._waiter.wait.side_effect = lambda _: worker.link.receive()
    worker.host.say(Data(stream.id, End.MORE, b"a"))
    worker.link.receive()
    assert stream.read_piece() == b"a"
    reader.roused.assert_not_called()
    worker.host.say(Data(stream.id, End.BODY, b"b"))
    assert stream.read_piece() == b"b"
    reader.roused.assert_called_once_with()


def test_what_comes_while_it_hands_over_is_not_missed(start_threads: StartThreads) -> None:
    """The link is free meanwhile, for whoever takes over."""
    worker = start_threads(echo, pool=False)

    def take_over() -> None:
        worker.host.say(Data(1, End.BODY, b"duck"))
        reader = threading.Thread(target=worker.link.receive, daemon=True)
        reader.start()
        reader.join(WAIT_SECONDS)

    running = Run(worker, End.MORE, take_over)
    assert worker.host.take(running.id).body == b"hello duck"
    running.join()


def test_a_thread_of_the_plugins_that_reads_beyond_the_end_is_freed(start_threads: StartThreads) -> None:
    begun, freed = threading.Event(), threading.Event()

    def read(r: Request) -> None:
        begun.set()
        with pytest.raises(ClientDisconnected):
            r.get_data()
        freed.set()

    def answer(r: Request) -> Response:
        threading.Thread(target=read, args=[r], daemon=True).start()
        assert begun.wait(WAIT_SECONDS)
        return Response("answered")

    running = run(start_threads, answer, End.MORE)
    assert running.worker.host.take(running.id).body == b"answered"
    assert freed.wait(WAIT_SECONDS)


def test_an_answer_that_was_taken_back_does_not_leave(start_threads: StartThreads) -> None:
    worker = start_threads(lambda _: Response(body()), pool=False)

    class Late(NotFound):
        """Made into an answer while another thread sends what was deferred."""

        def get_response(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - as the original
            for _ in range(2):
                worker.link.flush()
            return super().get_response(*args, **kwargs)

    def body() -> Iterator[bytes]:
        yield b"first"
        raise Late

    running = Run(worker, End.BODY)
    assert worker.host.take(running.id).status == 404
    running.join()


def test_any_number_of_streams_is_sent_together(start_threads: StartThreads) -> None:
    worker = start_threads(echo, pool=False)
    worker.link.deferring = True
    for _ in range(MAX_BUFFERS + 1):
        worker.host.request()
        worker.receive_stream().start_answer(200, ())
    for _ in range(2):
        worker.link.flush()
    assert [worker.host.hear(ResponseMessage).stream for _ in range(MAX_BUFFERS + 1)] == [*range(1, MAX_BUFFERS + 2)]


def test_an_answer_in_the_making_is_spared_once(start_threads: StartThreads) -> None:
    worker = start_threads(echo, pool=False)
    worker.link.deferring = True
    worker.host.request()
    stream = worker.receive_stream()
    stream.start_answer(200, ())
    worker.link.flush()
    stream.write(b"whole")
    stream.end_body()
    stream.may_defer_end = True
    stream.close()
    worker.link.flush()
    answer = worker.host.hear(ResponseMessage)
    assert (answer.body, answer.end) == (b"whole", End.STREAM)


def test_an_answer_that_is_long_in_the_making_leaves_in_parts(start_threads: StartThreads) -> None:
    worker = start_threads(echo, pool=False)
    worker.link.deferring = True
    worker.host.request()
    stream = worker.receive_stream()
    stream.start_answer(200, ())
    stream.write(b"part")
    for _ in range(2):
        worker.link.flush()
    answer = worker.host.hear(ResponseMessage)
    assert (answer.body, answer.end) == (b"part", End.MORE)


def test_company_is_counted_when_an_answer_is_whole(start_threads: StartThreads) -> None:
    worker = start_threads(echo, pool=False)
    worker.link.deferring = True
    for _ in range(MAX_DEFERRED):
        worker.host.request()
        stream = worker.receive_stream()
        stream.may_defer_end = True
        stream.start_answer(200, ())
        stream.write(b"whole")
        stream.end_body()
        stream.close()
    answers = [worker.host.hear(ResponseMessage) for _ in range(MAX_DEFERRED)]
    assert {(answer.body, answer.end) for answer in answers} == {(b"whole", End.STREAM)}


# Large pieces in the memory that is shared


def test_large_pieces_are_stored_as_long_as_there_is_room(start_threads: StartThreads) -> None:
    chunks = [bytes([number]) * MAX_PIECE for number in range(RING // MAX_PIECE - 1)]
    small, large = b"s" * (LARGE - 1), b"l" * LARGE

    def body() -> Iterator[bytes]:
        yield b"first"
        yield from chunks
        yield small
        yield large

    memory = memoryview(bytearray(SIZE))
    worker = start_threads(lambda _: Response(body()), pool=False)
    worker.link.memory, reader = Ring(memory), RingReader(memory)
    stream = worker.host.request()
    worker.run(worker.receive_stream())
    heard = [worker.host.hear_any() for _ in range(len(chunks) + 4)]
    assert isinstance(heard[0], ResponseMessage)
    assert heard[1] == Data(stream, End.MORE, b"first")
    stored = heard[2 : 2 + len(chunks)]
    found = [reader.view(piece.position, piece.size) for piece in stored if isinstance(piece, Stored)]
    assert [bytes(view) for view in found] == chunks
    assert heard[-2] == Data(stream, End.MORE, small)
    assert isinstance(heard[-1], Stored)
    assert bytes(reader.view(heard[-1].position, LARGE)) == large


def test_a_piece_without_room_goes_over_the_wire(start_threads: StartThreads) -> None:
    # As much as the wire takes of what nobody reads.
    chunks = [bytes([number]) * LARGE for number in range(3)]
    memory = memoryview(bytearray(SIZE))
    worker = start_threads(lambda _: Response(iter(chunks)), pool=False)
    worker.link.memory = ring = Ring(memory)
    for _ in range(RING // MAX_PIECE):
        assert ring.put([bytes(MAX_PIECE)], MAX_PIECE) is not None
    stream = worker.host.request()
    worker.run(worker.receive_stream())
    assert worker.host.take(stream).body == b"".join(chunks)
