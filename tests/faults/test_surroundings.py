"""A plugin changes its own process: what it did not need to answer, the worker does not need either."""

from contextlib import suppress

import pytest

from endpointd.testing import RunningDaemon
from faults.conftest import Serve
from support.catalogue import fine, kill_worker, misbehave
from support.raw_http import Client, ask, plain

HARMLESS = (
    *("chdir", "umask", "environ", "path", "modules", "socket", "msgpack", "time", "logging", "close_streams"),
    *("drop_streams", "files", "signals", "interpreter", "timeout", "thread"),
)


@pytest.fixture(scope="module")
def daemon(serve_for_module: Serve) -> RunningDaemon:
    return serve_for_module("surroundings", clock_kill=0.5, clock_drain=1)


@pytest.mark.parametrize("way", HARMLESS)
def test_the_worker_goes_on(daemon: RunningDaemon, way: str) -> None:
    kill_worker(daemon, "surroundings")
    bystander, worker = fine(daemon), fine(daemon, "surroundings")
    assert misbehave(daemon, "surroundings", f"way={way}").body == b"changed"
    for _ in range(3):
        assert fine(daemon, "surroundings") == worker
    # Of a body in several pieces, the rest is waited for, which makes another thread read the wire.
    answer = ask(daemon.url, "/e/surroundings/?way=read", method="POST", body=b"x" * 2_000_000)
    assert (answer.status, answer.body) == (200, b"2000000")
    assert fine(daemon, "surroundings") == worker
    assert fine(daemon) == bystander


@pytest.mark.parametrize("way", ["threading", "threads"])
def test_a_worker_without_threads_answers_or_is_replaced(daemon: RunningDaemon, way: str) -> None:
    """It may go on for as long as it needs no further thread; no request is left to wait for its clock."""
    misbehave(daemon, "surroundings", f"way={way}")
    with Client(daemon.url) as client:
        client.send(plain("/e/surroundings/?way=read", "Content-Length: 1000", method="POST"), b"x" * 10)
        # A worker that needs another thread for what is still to come has answered, and may have closed, by now.
        with suppress(OSError):
            client.send(b"x" * 990)
        answer = client.read("POST")
        assert answer.status in (500, 502) or (answer.status, answer.body) == (200, b"1000")
    fine(daemon, "surroundings")
    fine(daemon)


def test_a_plugin_that_deletes_itself_runs_until_its_worker_ends(serve: Serve) -> None:
    daemon = serve("surroundings", restart_limit=2)
    worker = fine(daemon, "surroundings")
    assert misbehave(daemon, "surroundings", "way=delete").status == 200
    assert fine(daemon, "surroundings") == worker
    kill_worker(daemon, "surroundings")
    daemon.wait_for_log('"plugin": "test/surroundings", "state": "FATAL"')
    answer = ask(daemon.url, "/e/surroundings/fine")
    assert (answer.status, answer.code) == (503, "plugin_fatal")
    assert "could not be started" in answer.json()["detail"]
    fine(daemon)


def test_a_thread_of_the_plugins_own_delays_the_end_by_no_more_than_its_clocks(serve: Serve) -> None:
    daemon = serve("surroundings", clock_drain=0.3, clock_kill=0.3)
    misbehave(daemon, "surroundings", "way=thread")
    assert daemon.stop(timeout=8) == 0
