"""A worker whose threads are greenlets keeps what workers promise: it streams, holds its limits, hears of cancelled
requests, answers pings, and ends in good order."""

import os
import signal
import socket
from pathlib import Path
from typing import TypeGuard

import pytest

from endpointd_wire.flow import WINDOW
from endpointd_wire.frames import MAX_PIECE, pack_value
from endpointd_wire.messages import (
    Abandon,
    Answered,
    Call,
    Cancel,
    Closed,
    Credit,
    Data,
    Drain,
    Drained,
    End,
    Failed,
    Message,
    Ping,
    Pong,
    Refused,
    Reply,
    Response,
)
from official.conftest import StartOfficial, until_over
from support.host_end import WAIT_SECONDS
from support.sdks import FOR_311, NEWEST, OLD
from support.worker_process import WorkerProcess

# Packages may have to be fetched first.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", params=[FOR_311, NEWEST])
def worker(request: pytest.FixtureRequest, start_official: StartOfficial) -> WorkerProcess:
    return start_official(request.param, "waits.py")


def test_requests_run_side_by_side(worker: WorkerProcess) -> None:
    waiting = {worker.host.request(path=b"/wait") for _ in range(7)}
    opening = worker.host.request(path=b"/open")
    bodies = until_over(worker, waiting | {opening})
    assert bodies == {**dict.fromkeys(waiting, b"waited"), opening: b"opened"}


def test_requests_that_come_together_do_not_wait_for_each_other(worker: WorkerProcess) -> None:
    """More of them than greenlets are kept for."""
    first = worker.host.make_request(path=b"/body", method="POST", end=End.MORE)
    requests = [first._replace(stream=first.stream + number) for number in range(0, 100, 2)]
    plain = [first._replace(stream=request.stream + 1, path=b"/", end=End.BODY) for request in requests]
    worker.host.say(*(each for pair in zip(requests, plain, strict=True) for each in pair))
    assert set(until_over(worker, {each.stream for each in plain}).values()) == {b"plain"}
    worker.host.say(*(Data(each.stream, End.BODY, b"x" * number) for number, each in enumerate(requests)))
    bodies = until_over(worker, {each.stream for each in requests})
    assert bodies == {each.stream: b"%d" % number for number, each in enumerate(requests)}


def test_an_endless_answer_is_closed_when_nobody_wants_it(worker: WorkerProcess) -> None:
    stream = worker.host.request(path=b"/endless")
    assert worker.host.hear_body(4).startswith(b"0\n1\n")
    worker.host.say(Cancel(stream, "the client has gone"))
    message: Message = worker.host.hear_any()
    while isinstance(message, Data):
        message = worker.host.hear_any()
    assert message == Closed(stream)


def test_so_is_one_that_takes_whatever_is_raised_for_a_passing_failure(worker: WorkerProcess) -> None:
    stream = worker.host.request(path=b"/poll")
    heard: list[Message] = [worker.host.hear_any(), worker.host.hear_any()]
    call = next(message for message in heard if isinstance(message, Call))
    worker.host.say(
        Cancel(stream, "the client has gone"), Refused(call.call, "cancelled", "the request is over"), Ping(1)
    )
    # It asks nothing more, and goes on all the same.
    assert worker.host.hear(Pong) == Pong(1)
    assert worker.host.hear(Closed) == Closed(stream)
    assert until_over(worker, {plain := worker.host.request()}) == {plain: b"plain"}


def test_an_answer_waits_for_credit_and_holds_nobody_up(worker: WorkerProcess) -> None:
    stream = worker.host.request(path=b"/large")
    got = len(worker.host.hear_body(WINDOW - MAX_PIECE))
    plain = worker.host.request()
    while not isinstance(message := worker.host.hear_any(), Response) or message.stream != plain:
        assert isinstance(message, Data | Response)
        got += len(message.body)
    assert got <= WINDOW
    if message.end != End.STREAM:
        until_over(worker, {plain})
    worker.host.say(Credit(stream, got))
    assert got + len(until_over(worker, {stream})[stream]) == 64 * 65536


def test_a_body_comes_in_pieces(worker: WorkerProcess) -> None:
    stream = worker.host.request(method="POST", path=b"/body", end=End.MORE, body=b"x" * 1000)
    assert until_over(worker, {worker.host.request()}) is not None
    worker.host.say(Data(stream, End.MORE, b"x" * 1000), Data(stream, End.BODY, b"x"))
    assert until_over(worker, {stream})[stream] == b"2001"


def test_who_computes_still_answers_pings(worker: WorkerProcess, tmp_path: Path) -> None:
    until = tmp_path / "stop"
    stream = worker.host.request(path=b"/compute", query=f"until={until}".encode())
    for number in range(3):
        worker.host.say(Ping(number))
        assert worker.host.hear(Pong) == Pong(number)
    until.touch()
    assert until_over(worker, {stream})[stream] == b"computed"


def test_who_computes_is_cancelled_when_it_comes_to_answer(worker: WorkerProcess, tmp_path: Path) -> None:
    until = tmp_path / "stop"
    stream = worker.host.request(path=b"/compute", query=f"until={until}".encode())
    worker.host.say(Cancel(stream, "the client has gone"), Ping(1))
    worker.host.hear(Pong)
    until.touch()
    assert worker.host.hear(Closed) == Closed(stream)


def test_what_is_cancelled_before_it_begins_is_over_at_once(worker: WorkerProcess, tmp_path: Path) -> None:
    until, begun = tmp_path / "stop", tmp_path / "begun"
    computing = worker.host.request(path=b"/compute", query=f"until={until}".encode())
    unwanted = worker.host.request(path=b"/touch", query=f"file={begun}".encode())
    worker.host.say(Ping(1))
    assert worker.host.hear(Pong) == Pong(1)
    worker.host.say(Cancel(unwanted, "the client has gone"))
    assert worker.host.hear(Closed) == Closed(unwanted)
    until.touch()
    assert until_over(worker, {computing})[computing] == b"computed"
    assert until_over(worker, {worker.host.request()})
    assert not begun.exists()


def test_so_is_what_is_cancelled_in_the_same_moment(worker: WorkerProcess, tmp_path: Path) -> None:
    """The hub itself reads this cancellation, before it has begun to compute: nobody else hears of it."""
    until, begun = tmp_path / "stop", tmp_path / "begun"
    first = worker.host.make_request(path=b"/compute", query=f"until={until}".encode())
    unwanted = first._replace(stream=first.stream + 1, path=b"/touch", query=f"file={begun}".encode())
    worker.host.say(first, unwanted, Cancel(unwanted.stream, "the client has gone"))
    assert worker.host.hear(Closed) == Closed(unwanted.stream)
    until.touch()
    assert until_over(worker, {first.stream})[first.stream] == b"computed"
    assert until_over(worker, {worker.host.request()})
    assert not begun.exists()


def test_a_plugin_that_kills_all_greenlets_is_still_answered_for(start_official: StartOfficial) -> None:
    worker = start_official(NEWEST, "waits.py")
    first = worker.host.make_request()
    plain = [first._replace(stream=first.stream + number) for number in range(10)]
    worker.host.say(*plain)
    assert set(until_over(worker, {each.stream for each in plain}, credit=False).values()) == {b"plain"}
    killing = worker.host.request(path=b"/kill")
    assert int(until_over(worker, {killing}, credit=False)[killing]) > 0
    for _ in range(3):
        plain_again = {worker.host.request() for _ in range(10)}
        assert set(until_over(worker, plain_again, credit=False).values()) == {b"plain"}


def is_last(message: Message) -> TypeGuard[Closed | Failed | Response | Data]:
    """Whether nothing follows of a stream, in whatever way it has ended."""
    is_end = isinstance(message, Response | Data) and message.end == End.STREAM
    return is_end or isinstance(message, Closed | Failed)


def test_so_is_one_that_kills_them_on_their_way_to_a_request(start_official: StartOfficial, tmp_path: Path) -> None:
    worker = start_official(NEWEST, "waits.py")
    until = tmp_path / "stop"
    left = {worker.host.request(path=b"/kill-on", query=f"until={until}".encode())}
    pongs = 0
    for number in range(6):
        worker.host.say(Ping(number))
        while pongs <= number:
            message = worker.host.hear_any()
            pongs += isinstance(message, Pong)
            left -= {message.stream} if is_last(message) else set()
        # Nobody is there any more who could answer when this one comes.
        left |= {worker.host.request()} if number > 2 else set()
    until.touch()
    left.add(worker.host.request())
    while left:
        message = worker.host.hear_any()
        left -= {message.stream} if is_last(message) else set()
    plain = worker.host.request()
    assert until_over(worker, {plain}, credit=False)[plain] == b"plain"


def test_threads_of_the_plugins_own_go_on(worker: WorkerProcess) -> None:
    assert worker.host.ask(path=b"/beats").body == b"beating"


def test_who_waits_for_the_network_holds_nobody_up(worker: WorkerProcess) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WAIT_SECONDS)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        stream = worker.host.request(path=b"/fetch", query=f"url={url}".encode())
        with listener.accept()[0] as connection:
            assert connection.recv(65536).startswith(b"GET / ")
            assert until_over(worker, {worker.host.request()}) is not None
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nfetched")
    assert until_over(worker, {stream})[stream] == b"fetched"


def test_a_loop_of_asyncios_runs_in_a_request(worker: WorkerProcess) -> None:
    assert worker.host.ask(path=b"/asyncio").body == b"awaited"


def test_a_thread_of_the_systems_may_call_too(worker: WorkerProcess) -> None:
    stream = worker.host.request(path=b"/native")
    call = worker.host.hear(Call)
    plain = worker.host.request()
    assert until_over(worker, {plain}) is not None
    worker.host.say(Reply(call.call, End.BODY, pack_value(b"found")), Answered(call.call))
    assert until_over(worker, {stream})[stream] == b"found"


def test_a_call_of_a_thread_that_has_ended_is_given_up(worker: WorkerProcess) -> None:
    stream = worker.host.request(path=b"/leave-behind")
    call = worker.host.hear(Call)
    assert until_over(worker, {stream})[stream] == b"left"
    worker.host.say(Reply(call.call, End.MORE, pack_value(b"found")[:1]))
    assert worker.host.hear(Abandon) == Abandon(call.call)
    plain = worker.host.request()
    assert until_over(worker, {plain})[plain] == b"plain"


def test_children_have_nothing_to_do_with_the_wire(worker: WorkerProcess, tmp_path: Path) -> None:
    assert worker.host.ask(path=b"/subprocess").body == b"said\n"
    forked, until = tmp_path / "forked", tmp_path / "stop"
    os.mkfifo(forked)
    stream = worker.host.request(path=b"/fork", query=f"forked={forked}&until={until}".encode())
    # The child's own hub has nothing to do meanwhile.
    assert forked.read_text() == "here"
    for number in range(100):
        worker.host.say(Ping(number))
        assert worker.host.hear(Pong) == Pong(number)
    until.touch()
    assert until_over(worker, {stream})[stream] == b"0"


def test_it_ends_when_its_last_answer_has_ended(start_official: StartOfficial) -> None:
    worker = start_official(OLD, "waits.py")
    stream = worker.host.request(path=b"/wait")
    opening = worker.host.request(path=b"/open")
    worker.host.say(Drain())
    # Credit that it had not read would make the end of the wire another one.
    assert until_over(worker, {stream, opening}, credit=False) == {stream: b"waited", opening: b"opened"}
    assert worker.host.hear_end() == [Drained()]
    assert worker.wait() == (0, "")


def test_it_ends_on_sigterm(start_official: StartOfficial) -> None:
    worker = start_official(NEWEST, "waits.py")
    assert until_over(worker, {worker.host.request()}, credit=False)
    worker.process.send_signal(signal.SIGTERM)
    assert worker.host.hear_end() == []
    assert worker.wait() == (128 + signal.SIGTERM, "")


def test_it_ends_with_its_host_though_it_computes(start_official: StartOfficial, tmp_path: Path) -> None:
    worker = start_official(FOR_311, "waits.py")
    worker.host.request(path=b"/compute", query=f"until={tmp_path / 'never'}".encode())
    worker.host.say(Ping(1))
    worker.host.hear(Pong)
    worker.host.wire.close()
    assert worker.process.wait(WAIT_SECONDS) is not None
    assert not os.path.exists(f"/proc/{worker.process.pid}/exe")
