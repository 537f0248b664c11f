"""A worker's places, and the queue before them."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine
from support.gates import Gate
from support.raw_http import Client, ask, plain

QUIET_SECONDS = 0.2
"""A request that has heard nothing for so long waits."""


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    return serve_for_module("waits", concurrency=4, queue_size=1, clock_queue=30)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Door:
    """Requests that wait in the plugin, each until it is let go."""

    def __init__(self, daemon: RunningDaemon, directory: Path, stack: ExitStack) -> None:
        self._daemon = daemon
        self._stack = stack
        self.gate = stack.enter_context(Gate(directory / "gate"))
        self.arrived = stack.enter_context(Gate(directory / "arrived"))

    def send(self) -> Client:
        client = self._stack.enter_context(Client(self._daemon.url))
        client.send(plain(f"/e/waits/?gate={self.gate.path}&arrived={self.arrived.path}"))
        return client

    def enter(self) -> Client:
        client = self.send()
        self.arrived.wait()
        return client


def enter_queue(door: Door) -> Client:
    """A request that waits in the queue. The daemon may hear late of a place that became free, and refuses until
    then."""
    for _ in range(200):
        client = door.send()
        if not select.select([client], [], [], QUIET_SECONDS)[0]:
            return client
        assert client.read().code == "queue_full"
    raise AssertionError("the place in the queue did not become free")


def assert_queue_is_full(daemon: RunningDaemon) -> None:
    answer = ask(daemon.url, "/e/waits/fine")
    assert (answer.status, answer.code) == (503, "queue_full")
    assert int(answer.one("retry-after") or 0) >= 1


def test_places_then_the_queue_then_503(daemon: RunningDaemon, tmp_path: Path, stack: ExitStack) -> None:
    door = Door(daemon, tmp_path, stack)
    clients = [door.enter() for _ in range(4)]
    clients.append(enter_queue(door))
    assert_queue_is_full(daemon)
    assert door.arrived.is_silent()
    fine(daemon)
    door.gate.open()
    door.arrived.wait()
    door.gate.open(4)
    assert [client.read().body for client in clients] == [b"waited"] * 5
    fine(daemon, "waits")


def test_those_in_the_queue_outlive_the_worker(daemon: RunningDaemon, tmp_path: Path, stack: ExitStack) -> None:
    """Its end makes all of its places free, of which none is to be given to anybody."""
    before = fine(daemon, "waits")
    door = Door(daemon, tmp_path, stack)
    clients = [door.enter() for _ in range(4)]
    queued = enter_queue(door)
    os.kill(before, signal.SIGKILL)
    assert [client.read().code for client in clients] == ["worker_gone"] * 4
    door.arrived.wait()
    door.gate.open()
    assert queued.read().body == b"waited"
    assert fine(daemon, "waits") != before


def test_slow_requests_do_not_delay_fast_ones(daemon: RunningDaemon, tmp_path: Path, stack: ExitStack) -> None:
    door = Door(daemon, tmp_path, stack)
    clients = [door.enter() for _ in range(3)]
    for _ in range(50):
        fine(daemon, "waits")
    door.gate.open(3)
    assert [client.read().body for client in clients] == [b"waited"] * 3


def test_one_that_leaves_the_queue_makes_room_and_is_never_run(
    daemon: RunningDaemon, tmp_path: Path, stack: ExitStack
) -> None:
    door = Door(daemon, tmp_path, stack)
    clients = [door.enter() for _ in range(4)]
    leaver = enter_queue(door)
    assert_queue_is_full(daemon)
    leaver.reset()
    clients.append(enter_queue(door))
    door.gate.open(5)
    assert [client.read().body for client in clients] == [b"waited"] * 5
    door.arrived.wait()
    assert door.arrived.is_silent()
    fine(daemon, "waits")
