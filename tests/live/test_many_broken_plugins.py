"""Two hundred plugins come at once, and most of them are broken: those that are not are served soon, and stay so."""

from pathlib import Path

from endpointd.testing import DaemonStarter
from live.conftest import Served, Shop, source
from support.load import Load
from support.plugins import write_plugin
from support.raw_http import Answer

PLUGINS = 200
GOOD = 3
CLOCK_START = 30
BROKEN = (
    "def broken(:\n",
    "raise SystemExit(3)\n",
    "import no_such_module\n",
    "import os; os.kill(os.getpid(), 9)\n",
    source("late") + "import os, threading\nthreading.Timer(0.05, os._exit, [3]).start()\n",
)
COST_A_PROCESS = 5
"""One of so many. The others have no manifest that can be read, and cost none: what is tested is not how fast a machine
starts Pythons."""


def says_quack(answer: Answer) -> bool:
    return (answer.status, answer.body) == (200, b"quack")


def write_broken(shop: Shop, number: int) -> Path:
    name = f"broken-{number:03}"
    made = write_plugin(
        shop.bench, name, {"says.py": BROKEN[number // COST_A_PROCESS % len(BROKEN)]}, [("GET", "/", "says.py")]
    )
    if number % COST_A_PROCESS:
        (made / "manifest.yaml").write_text("name: [\n")
    return made


def test_a_crowd_of_broken_plugins_keeps_no_good_one_from_being_served(
    start_daemon: DaemonStarter, shop: Shop, tmp_path: Path
) -> None:
    shop.put("duck", "quack")
    broken = [write_broken(shop, number) for number in range(PLUGINS - GOOD - 1)]
    # In the order of their names the good ones are the last.
    good = [shop.make(f"good-{number}", "good") for number in range(GOOD)]
    state = tmp_path / "state"
    daemon = start_daemon(shop.plugins, state=state, clock_start=CLOCK_START, clock_queue=1, restart_limit=5)
    served = Served(daemon, state)
    with Load(served.url, "/e/duck/", says_quack, clients=2) as load:
        for made in [*broken, *good]:
            made.rename(shop.plugins / made.name)
        for made in good:
            served.comes_to_say(made.name, "good", CLOCK_START)
        for _ in range(20):
            assert [served.says(made.name) for made in good] == ["good"] * GOOD
    assert load.wrong == {}
    assert daemon.stop() == 0
    log = daemon.events()
    assert [event for event in log if event["level"] == "critical"] == []
    unreadable = sum(number % COST_A_PROCESS > 0 for number in range(len(broken)))
    assert len({event["folder"] for event in log if event["event"] == "folder.refused"}) <= unreadable
    assert {event["plugin"] for event in log if event["event"] == "worker.failed"}.isdisjoint(
        {"test/duck", *(f"test/{made.name}" for made in good)}
    )
