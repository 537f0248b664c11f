"""The worker, or the daemon itself, ends while requests are under way."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine, kill_worker, misbehave
from support.gates import Gate
from support.processes import Watched
from support.raw_http import Broken, Client, plain


@contextmanager
def waiting(daemon: RunningDaemon, directory: Path, count: int, query: str = "") -> Iterator[tuple[list[Client], Gate]]:
    """`count` requests that wait in the plugin `waits`, and the gate that lets them go on."""
    with ExitStack() as stack:
        gate = stack.enter_context(Gate(directory / "gate"))
        arrived = stack.enter_context(Gate(directory / "arrived"))
        clients = [stack.enter_context(Client(daemon.url)) for _ in range(count)]
        for client in clients:
            client.send(plain(f"/e/waits/?gate={gate.path}&arrived={arrived.path}{query}"))
        for _ in clients:
            arrived.wait()
        yield clients, gate


def test_fifty_requests_are_told_at_once_that_their_worker_is_gone(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("waits", concurrency=64)
    bystander, before = fine(daemon), fine(daemon, "waits")
    with waiting(daemon, tmp_path, 50) as (clients, _):
        os.kill(before, signal.SIGKILL)
        answers = [client.read() for client in clients]
    assert [(answer.status, answer.code) for answer in answers] == [(502, "worker_gone")] * 50
    assert len({answer.json()["request_id"] for answer in answers}) == 50
    assert {answer.json()["plugin"] for answer in answers} == {"test/waits"}
    assert fine(daemon, "waits") != before
    assert fine(daemon) == bystander


def test_streams_are_broken_off_when_their_worker_dies(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("waits", concurrency=64)
    with waiting(daemon, tmp_path, 10, "&chunk=10") as (clients, _):
        bodies = [client.pieces(client.read_head()) for client in clients]
        assert [next(body) for body in bodies] == [b"x" * 10] * 10
        kill_worker(daemon, "waits")
        for body in bodies:
            with pytest.raises(Broken):
                list(body)
    fine(daemon, "waits")


def test_workers_end_when_the_daemon_is_killed(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("waits")
    workers = [Watched(fine(daemon)), Watched(fine(daemon, "waits"))]
    with ExitStack() as stack, waiting(daemon, tmp_path, 3):
        for worker in workers:
            stack.enter_context(worker)
        daemon.kill()
        assert [worker for worker in workers if not worker.ends_within()] == []


def test_what_is_under_way_is_answered_before_the_daemon_ends(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("waits")
    with waiting(daemon, tmp_path, 3) as (clients, gate):
        daemon.process.terminate()
        daemon.wait_for_log("stopping")
        gate.open(3)
        assert [(client.read().body) for client in clients] == [b"waited"] * 3
        assert daemon.process.wait(10) == 0


def test_a_stream_under_way_is_finished_before_the_daemon_ends(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("waits")
    with waiting(daemon, tmp_path, 1, "&chunk=10") as ([client], gate):
        body = client.pieces(client.read_head())
        assert next(body) == b"x" * 10
        daemon.process.terminate()
        daemon.wait_for_log("stopping")
        gate.open()
        assert b"".join(body) == b"last"
        assert daemon.process.wait(10) == 0


def test_a_second_signal_ends_the_daemon_at_once(serve: Serve, tmp_path: Path) -> None:
    daemon = serve("waits", clock_drain=100, clock_kill=100)
    with Watched(fine(daemon, "waits")) as worker, waiting(daemon, tmp_path, 1) as ([client], _):
        daemon.process.terminate()
        daemon.wait_for_log("stopping")
        daemon.process.terminate()
        assert daemon.process.wait(10) == 0
        assert not worker.is_alive()
        assert not was_answered(client)


def was_answered(client: Client) -> bool:
    """Whether the plugin's answer came; a broken connection and a problem are none."""
    try:
        return client.read().status == 200
    except Broken:
        return False


@pytest.mark.parametrize("way", ["thread", "stop"])
def test_a_second_signal_does_not_wait_for_workers(serve: Serve, way: str) -> None:
    daemon = serve("hangs", clock_drain=100, clock_kill=100, clock_first_byte=0.3)
    with Watched(fine(daemon, "hangs")) as worker:
        misbehave(daemon, "hangs", f"way={way}")
        daemon.process.terminate()
        daemon.wait_for_log('"plugin": "test/hangs", "state": "DRAINING"')
        assert worker.is_alive()
        daemon.process.terminate()
        assert daemon.process.wait(10) == 0
        assert not worker.is_alive()
