"""After a thousand requests of all kinds and twenty deaths of workers, the daemon holds what it held before."""

from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.catalogue import fine, kill_worker, misbehave, unexplained, write_catalogue
from support.gates import Gate
from support.holdings import administered, settled
from support.processes import resident
from support.raw_http import Broken, Client, ask, plain

PLUGINS = ("answers", "exits", "flow", "waits")
REQUESTS = 1000
DEATHS = 20
GROWTH = 24 * 1024 * 1024
"""Bytes. A leak of a request's worth of buffers would be many times as much, and so would one of a worker's."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def daemon(start_daemon: DaemonStarter, tmp_path: Path, state: Path) -> RunningDaemon:
    plugins = write_catalogue(tmp_path / "plugins", *PLUGINS)
    return administered(start_daemon(plugins, state=state, restart_stable=0), state)


# Kinds of requests


def good(daemon: RunningDaemon) -> None:
    fine(daemon, "answers")


def failing(daemon: RunningDaemon) -> None:
    assert misbehave(daemon, "answers", "way=exception").status == 500


def unanswerable(daemon: RunningDaemon) -> None:
    assert misbehave(daemon, "answers", "way=dict").status == 500


def unknown(daemon: RunningDaemon) -> None:
    assert ask(daemon.url, "/e/nobody/").status == 404


def malformed(daemon: RunningDaemon) -> None:
    with Client(daemon.url) as client:
        client.send(b"NONSENSE\r\n\r\n")
        assert client.read().status == 400


def upload(daemon: RunningDaemon) -> None:
    answer = ask(daemon.url, "/e/flow/?way=watch_body", method="POST", body=b"x" * 300_000)
    assert answer.body == b"300000"


def leave_within_the_answer(daemon: RunningDaemon) -> None:
    with Client(daemon.url) as client:
        client.send(plain("/e/flow/?way=stream"))
        next(client.pieces(client.read_head()))
        client.reset()


def leave_within_the_request(daemon: RunningDaemon) -> None:
    with Client(daemon.url) as client:
        client.send(plain("/e/flow/?way=watch_body", "Content-Length: 9", method="POST"), b"x")


def leave_before_the_answer(daemon: RunningDaemon) -> None:
    with Client(daemon.url) as client:
        client.send(plain("/e/answers/fine"))


def aborted(daemon: RunningDaemon) -> None:
    with Client(daemon.url) as client:
        client.send(plain("/e/answers/?way=yields_dict"))
        try:
            assert client.read().status == 500
        except Broken:
            return


KINDS: tuple[Callable[[RunningDaemon], None], ...] = (
    good,
    failing,
    unanswerable,
    unknown,
    malformed,
    upload,
    leave_within_the_answer,
    leave_within_the_request,
    leave_before_the_answer,
    aborted,
)


def ways_to_die(daemon: RunningDaemon, gate: Gate) -> Iterator[None]:
    """Each step is one death of a worker: idle, in a request, in a stream."""
    while True:
        kill_worker(daemon, "exits")
        yield
        assert misbehave(daemon, "exits", "way=os_exit").status == 502
        fine(daemon, "exits")
        yield
        with Client(daemon.url) as client:
            client.send(plain(f"/e/waits/?gate={gate.path}&chunk=10"))
            pieces = client.pieces(client.read_head())
            next(pieces)
            kill_worker(daemon, "waits")
            with pytest.raises(Broken):
                list(pieces)
        fine(daemon, "waits")
        yield


def test_nothing_is_left_of_a_thousand_requests(daemon: RunningDaemon, state: Path) -> None:
    for _ in range(3):
        for kind in KINDS:
            kind(daemon)
    before, memory = settled(daemon, state), resident(daemon.pid)
    for kind in islice(cycle(KINDS), REQUESTS):
        kind(daemon)
    assert settled(daemon, state, before) == before
    assert resident(daemon.pid) - memory < GROWTH
    assert unexplained(daemon, *PLUGINS) == []
    assert not [event for event in daemon.events() if event["event"] == "worker.failed"]


def test_nothing_is_left_of_a_thousand_who_leave_within_their_answers(daemon: RunningDaemon, state: Path) -> None:
    for _ in range(20):
        leave_within_the_answer(daemon)
    before, memory = settled(daemon, state), resident(daemon.pid)
    for _ in range(REQUESTS):
        leave_within_the_answer(daemon)
    assert settled(daemon, state, before) == before
    assert resident(daemon.pid) - memory < GROWTH


def test_nothing_is_left_of_twenty_dead_workers(daemon: RunningDaemon, state: Path, tmp_path: Path) -> None:
    with Gate(tmp_path / "gate") as gate:
        deaths = ways_to_die(daemon, gate)
        for _ in range(3):
            next(deaths)
        before, memory = settled(daemon, state), resident(daemon.pid)
        for _ in range(DEATHS):
            next(deaths)
        assert settled(daemon, state, before) == before
    assert before.zombies == 0
    assert resident(daemon.pid) - memory < GROWTH
    assert unexplained(daemon, *PLUGINS) == []
    failures = [event for event in daemon.events() if event["event"] == "worker.failed"]
    assert len(failures) == 3 + DEATHS
