"""Plugins whose workers are only there when they are needed: one daemon, and what clients and operators see of it."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from endpointd.admin.client import Client
from endpointd.errors import OperatorError
from endpointd.testing import DaemonStarter
from live.conftest import Served, Shop
from support.eventually import eventually
from support.gates import Gate
from support.processes import workers
from support.raw_http import ask

SLEEPERS = ("alone", "crowd", "edited", "operated", "removed", "slow")

AT_THE_GATE = """
import os
with open(os.environ["ARRIVED"], "wb", buffering=0) as arrived:
    arrived.write(b"!")
with open(os.environ["GATE"], "rb", buffering=0) as gate:
    gate.read(1)
"""
"""Waits at the test's gate while it is imported."""


class House:
    """The daemon with its sleepers, of which `slow` waits at the gate when it starts, and `awake`, which is always
    there."""

    def __init__(self, shop: Shop, served: Served, arrived: Gate, gate: Gate) -> None:
        self.shop = shop
        self.served = served
        self.arrived = arrived
        self.gate = gate

    def states(self) -> dict[str, str]:
        with Client(self.served.state) as client:
            return {one["id"].removeprefix("test/"): one["state"] for one in client.plugins()}

    def act(self, action: str, name: str, body: object = None) -> str:
        with Client(self.served.state) as client:
            return str(client.act(action, f"test/{name}", body)["state"])

    def starts(self, name: str) -> int:
        """How many workers of the plugin have become ready."""
        events = self.served.daemon.events()
        return sum(event["event"] == "worker.ready" and event["plugin"] == f"test/{name}" for event in events)

    def falls_asleep(self, name: str) -> None:
        eventually(lambda: self._last_state(name) == "SLEEPING")

    def _last_state(self, name: str) -> str:
        events = [event for event in self.served.daemon.events() if event["event"] == "plugin.state"]
        return str([event["state"] for event in events if event["plugin"] == f"test/{name}"][-1])


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, start_daemon_for_module: DaemonStarter) -> Iterator[House]:
    root = tmp_path_factory.mktemp("house")
    shop = Shop(root)
    for name in (*SLEEPERS, "awake"):
        shop.put(name, f"{name} is here")
    slow = shop.plugins / "slow" / "says.py"
    slow.write_text(AT_THE_GATE + slow.read_text())
    config = root / "endpointd.toml"
    config.write_text(
        'start = "on-demand"\nidle_stop = 0.01\n[plugin."test/awake"]\nstart = "always"\n[plugin."test/slow"]\n'
        f'idle_stop = 0\nenv = {{ GATE = "{root / "gate"}", ARRIVED = "{root / "arrived"}" }}\n'
    )
    state = root / "state"
    with Gate(root / "arrived") as arrived, Gate(root / "gate") as gate:
        daemon = start_daemon_for_module(shop.plugins, state=state, config=config, public_health=True)
        yield House(shop, Served(daemon, state), arrived, gate)
        # Who may still wait there is not to keep the daemon from its end.
        gate.open(10)


def test_no_worker_is_there_and_all_is_well(house: House) -> None:
    """The first test of the file: nobody has asked for anything."""
    assert house.states() == dict.fromkeys(SLEEPERS, "SLEEPING") | {"awake": "RUNNING"}
    assert len(workers(house.served.daemon.pid)) == 1
    ready = ask(house.served.url, "/readyz")
    assert (ready.status, ready.body) == (200, b"ready: 1 running, 6 sleeping, 0 starting, 0 broken\n")


def test_routes_are_known_without_a_worker(house: House) -> None:
    assert ask(house.served.url, "/e/alone/nowhere").status == 404
    assert ask(house.served.url, "/e/alone/", method="POST").status == 405
    assert house.states()["alone"] == "SLEEPING"


def test_a_request_wakes_it_and_it_sleeps_again(house: House) -> None:
    for starts in (1, 2):
        assert house.served.says("alone") == "alone is here"
        assert house.starts("alone") == starts
        house.falls_asleep("alone")
    eventually(lambda: len(workers(house.served.daemon.pid)) == 1)


def test_a_crowd_is_served_by_one_start(house: House) -> None:
    with ThreadPoolExecutor(20) as clients:
        assert set(clients.map(house.served.says, ["crowd"] * 20)) == {"crowd is here"}
    assert house.starts("crowd") == 1


def test_a_worker_that_is_killed_while_it_is_waited_for_is_followed_by_another(house: House) -> None:
    before = set(workers(house.served.daemon.pid))
    with ThreadPoolExecutor(1) as clients:
        answer = clients.submit(house.served.says, "slow")
        house.arrived.wait()
        # Of those that have come since, the others are asleep or on their way there.
        (pid,) = set(workers(house.served.daemon.pid)) - before
        os.kill(pid, signal.SIGKILL)
        house.arrived.wait()
        house.gate.open()
        assert answer.result() == "slow is here"


def test_an_edit_is_tried_at_once_and_a_bad_one_changes_nothing(house: House) -> None:
    house.shop.edit("edited", "edited again")
    eventually(lambda: house.starts("edited") == 1)
    house.falls_asleep("edited")
    assert house.served.says("edited") == "edited again"
    house.falls_asleep("edited")
    (house.shop.plugins / "edited" / "says.py").write_text("this is no Python")
    house.served.daemon.wait_for_log('"worker.failed"')
    assert house.served.says("edited") == "edited again"
    house.falls_asleep("edited")


def test_operators_find_nothing_different_about_it(house: House) -> None:
    assert house.act("stop", "operated") == "STOPPED"
    assert house.served.says("operated") == "plugin_stopped"
    assert house.act("start", "operated") == "RUNNING"
    house.falls_asleep("operated")
    assert house.act("restart", "operated") == "RUNNING"
    house.shop.edit("operated", "another")
    house.served.comes_to_say("operated", "another")
    assert house.act("rollback", "operated", {"release": None}) == "RUNNING"
    assert house.served.says("operated") == "operated is here"


def test_one_that_sleeps_is_removed(house: House) -> None:
    with Client(house.served.state) as client:
        client.uninstall("test/removed")
    assert house.served.says("removed") == "plugin_removed"
    assert "removed" not in house.states()


def test_the_daemon_ends_while_one_wakes(house: House) -> None:
    """The last test of the file."""
    assert house.act("stop", "slow") == "STOPPED"
    with ThreadPoolExecutor(1) as operators:
        starting = operators.submit(house.act, "start", "slow")
        house.arrived.wait()
        assert house.served.daemon.stop() == 0
        with pytest.raises(OperatorError):
            starting.result()
