"""A plugin's own children: they never speak on the wire, and never outlive the worker, wherever they go."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine, kill_worker, misbehave
from support.processes import Watched

IN_THE_GROUP = ("fork", "fork_leave", "fork_exit", "subprocess", "all_descriptors")
OUTSIDE = ("session", "fork_session", "orphan")
SECONDS = 2.0
"""In which nothing is left of a daemon that was killed."""


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    return serve_for_module("children", "exits")


def start_child(daemon: RunningDaemon, way: str) -> Watched:
    """The child that the plugin starts."""
    answer = misbehave(daemon, "children", f"way={way}")
    assert answer.status == 200
    return Watched(int(answer.body))


@contextmanager
def child_of(daemon: RunningDaemon, way: str) -> Iterator[Watched]:
    """The child that the plugin starts; the test leaves none behind."""
    with start_child(daemon, way) as child:
        try:
            yield child
        finally:
            child.send(signal.SIGKILL)


@contextmanager
def children_of(daemon: RunningDaemon) -> Iterator[dict[str, Watched]]:
    """One child of each kind; none is left behind."""
    with ExitStack() as stack:
        yield {way: stack.enter_context(child_of(daemon, way)) for way in IN_THE_GROUP + OUTSIDE}


@pytest.mark.parametrize("way", IN_THE_GROUP + OUTSIDE)
def test_a_child_does_not_disturb_its_worker(daemon: RunningDaemon, way: str) -> None:
    before = fine(daemon, "children")
    with child_of(daemon, way):
        for _ in range(20):
            assert fine(daemon, "children") == before
        fine(daemon)


def test_children_end_with_a_worker_that_dies(daemon: RunningDaemon) -> None:
    with children_of(daemon) as children:
        kill_worker(daemon, "children")
        assert [way for way, child in children.items() if not child.ends_within()] == []
    fine(daemon, "children")


@pytest.mark.parametrize("way", OUTSIDE)
def test_a_child_that_has_left_lives_as_long_as_its_own_worker(daemon: RunningDaemon, way: str) -> None:
    """It holds the worker's output open, and is not waited for."""
    with child_of(daemon, way) as child:
        kill_worker(daemon, "exits")
        fine(daemon, "exits")
        assert child.is_alive()
        before = kill_worker(daemon, "children")
        assert fine(daemon, "children") != before
        assert child.ends_within()


def test_children_end_with_a_worker_that_is_drained(serve: Serve) -> None:
    daemon = serve("children")
    with children_of(daemon) as children:
        assert daemon.stop() == 0
        assert [way for way, child in children.items() if child.is_alive()] == []


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_nothing_is_left_when_the_daemon_is_killed(serve: Serve, stopped: bool) -> None:
    """Though a worker that is stopped notices nothing."""
    daemon = serve("children")
    worker = fine(daemon, "children")
    with children_of(daemon) as children, Watched(worker) as watched:
        if stopped:
            watched.send(signal.SIGSTOP)
        daemon.kill()
        left = {**children, "worker": watched}
        assert [way for way, child in left.items() if not child.ends_within(SECONDS)] == []
