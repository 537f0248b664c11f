"""A plugin with several workers, as its clients and its operators see it: one daemon, whose plugin changes as the tests
go on."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpointd.admin.client import Client as Operator
from endpointd.testing import DaemonStarter
from live.conftest import Served, Shop
from support.eventually import eventually
from support.gates import Gate
from support.load import Load
from support.raw_http import Answer, Client, ask, plain

DUCK = "test/duck"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("settings") / "endpointd.toml"
    file.write_text("workers = 2\n")
    return file


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("shop"))
    shop.put("duck", "version 0")
    return shop


@pytest.fixture(scope="module")
def served(shop: Shop, config: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    starter = DaemonStarter(tmp_path_factory.mktemp)
    state = tmp_path_factory.mktemp("state")
    yield Served(starter(shop.plugins, state=state, config=config), state)
    starter.stop_all()


def status(served: Served) -> dict[str, Any]:
    with Operator(served.state) as operator:
        found: dict[str, Any] = next(one for one in operator.plugins() if one["id"] == DUCK)
    return found


def pids(served: Served) -> list[int]:
    """Of the workers that answer, and of the requests in each."""
    return [worker["pid"] for worker in status(served)["workers"]]


def come(served: Served, number: int) -> list[int]:
    """Wait until so many workers answer, and no others are on their way."""
    eventually(lambda: len(pids(served)) == number and status(served)["replacing"] is None, 30)
    return pids(served)


def is_a_version(answer: Answer) -> bool:
    return answer.status == 200 and answer.body.startswith(b"version ")


def under_load(served: Served) -> Load:
    return Load(served.url, "/e/duck/", is_a_version)


def test_requests_go_to_the_worker_with_the_fewest(served: Served, tmp_path: Path) -> None:
    come(served, 2)
    with Gate(tmp_path / "gate") as gate:
        clients = [Client(served.url) for _ in range(4)]
        for client in clients:
            client.send(plain(f"/e/duck/wait?gate={gate.path}"))
        eventually(lambda: [worker["in_flight"] for worker in status(served)["workers"]] == [2, 2])
        assert status(served)["in_flight"] == 4
        gate.open(len(clients))
        for client in clients:
            assert client.read().body == b"waited"
            client.close()


def test_one_that_is_killed_fails_its_own_requests_alone_and_comes_back(served: Served, tmp_path: Path) -> None:
    before = come(served, 2)
    failed = status(served)["restarts"]
    with Gate(tmp_path / "gate") as gate, Client(served.url) as one, Client(served.url) as other:
        for client in (one, other):
            client.send(plain(f"/e/duck/wait?gate={gate.path}"))
        eventually(lambda: [worker["in_flight"] for worker in status(served)["workers"]] == [1, 1])
        with under_load(served) as load:
            os.kill(before[0], signal.SIGKILL)
            after = come(served, 2)
        gate.open()
        bodies = sorted(((answer.status, answer.body) for answer in (one.read(), other.read())), key=lambda it: it[0])
    assert bodies[0] == (200, b"waited")
    assert bodies[1][0] == 502
    assert before[1] in after
    # A client of the load has one request at a time, and half of them were there at most.
    assert sum(load.wrong.values()) <= 4
    assert all(wrong.startswith("502") for wrong in load.wrong)
    assert load.answered > 20
    assert (status(served)["state"], status(served)["restarts"]) == ("RUNNING", failed + 1)


def test_a_restart_under_load_loses_nothing(served: Served) -> None:
    before = come(served, 2)
    with under_load(served) as load, Operator(served.state) as operator:
        operator.act("restart", DUCK)
        after = come(served, 2)
    assert load.wrong == {}
    assert not {*before} & {*after}


def test_an_edit_under_load_loses_nothing(served: Served, shop: Shop) -> None:
    before = come(served, 2)
    with under_load(served) as load:
        for number in (1, 2):
            shop.edit("duck", f"version {number}")
            served.comes_to_say("duck", f"version {number}")
        # With all its workers at once: nobody is answered by the version before any more.
        assert {ask(served.url, "/e/duck/").body for _ in range(10)} == {b"version 2"}
        after = come(served, 2)
    assert load.wrong == {}
    assert not {*before} & {*after}


def test_a_broken_edit_leaves_both_where_they_are(served: Served, shop: Shop) -> None:
    before = come(served, 2)
    said = served.says("duck")
    with under_load(served) as load:
        (shop.plugins / "duck" / "says.py").write_text("raise SystemExit(3)\n")
        served.daemon.wait_for_log('"load_failed"', timeout=30)
        eventually(lambda: status(served)["replacing"] is None)
        assert come(served, 2) == before
    assert load.wrong == {}
    shop.edit("duck", said)
    # What is there again is a change as any other, and is not to come in the midst of the next test.
    eventually(lambda: not {*before} & {*pids(served)}, 30)
    come(served, 2)


def test_their_number_follows_the_configuration(served: Served, config: Path) -> None:
    first, second = come(served, 2)
    with under_load(served) as load:
        for number in (1, 3):
            config.write_text(f"workers = {number}\n")
            served.daemon.process.send_signal(signal.SIGHUP)
            now = come(served, number)
            assert first in now
    assert load.wrong == {}
    assert second not in now
    config.write_text("workers = 2\n")
    served.daemon.process.send_signal(signal.SIGHUP)
    come(served, 2)


def test_lines_tell_who_has_written_them(served: Served, shop: Shop) -> None:
    source = 'import os\nprint("here is", os.getpid())\n' + (shop.plugins / "duck" / "says.py").read_text()
    before = come(served, 2)
    (shop.plugins / "duck" / "says.py").write_text(source)
    eventually(lambda: not {*before} & {*pids(served)} and len(pids(served)) == 2)
    wanted = {(f"here is {pid}", pid) for pid in pids(served)}
    eventually(lambda: wanted <= {(event.get("line"), event.get("pid")) for event in served.daemon.events()})
