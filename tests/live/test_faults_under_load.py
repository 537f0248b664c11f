"""Faults of one plugin while others are under load: nobody but it notices, and nothing is left in the daemon.

The plugin that suffers is under load too: what it answers is right, or an error of the daemon's that is true.
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.catalogue import BYSTANDER, misbehave, unexplained, write_catalogue
from support.eventually import eventually
from support.holdings import administered, settled
from support.load import Load
from support.processes import Watched, templates
from support.raw_http import Answer, ask

VICTIMS = ("children", "descriptors", "exits", "hangs", "memory", "speaks", "writes")
CONFIGURATION = """
clock_ping = 1
restart_stable = 0
[plugin."test/memory"]
limit_memory = "512MiB"
"""
TOLD_OF_TEMPLATES = ("template.ended", "template.no_birth")
KINDS_OF_CHILDREN = ("fork", "subprocess", "session", "fork_session", "orphan")
ORPHANS = 20


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("town") / "state"


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory, state: Path) -> Iterator[RunningDaemon]:
    """Serves them all. In the end it stops well, with nothing unexplained in its log."""
    starter = DaemonStarter(tmp_path_factory.mktemp)
    plugins = write_catalogue(state.with_name("plugins"), *VICTIMS)
    configuration = state.with_name("endpointd.toml")
    configuration.write_text(CONFIGURATION)
    daemon = administered(starter(plugins, state=state, config=configuration), state)
    yield daemon
    starter.stop_all()
    told = [event for event in unexplained(daemon, *VICTIMS) if event["event"] not in TOLD_OF_TEMPLATES]
    assert told == []


def is_fine(answer: Answer) -> bool:
    return answer.status == 200 and list(answer.json()) == ["pid"]


def is_fine_or(*codes: str) -> Callable[[Answer], bool]:
    return lambda answer: is_fine(answer) if answer.status == 200 else answer.code in codes


def worker_of(daemon: RunningDaemon, name: str) -> int:
    """The pid of the worker that answers; 0 when it is one that has just died."""
    answer = ask(daemon.url, f"/e/{name}/fine")
    return int(answer.json()["pid"]) if is_fine(answer) else 0


def lose_worker(daemon: RunningDaemon, name: str, fault: Callable[[int], object]) -> None:
    """Do it to the plugin's worker, and wait until that is gone and another one answers."""
    before = worker_of(daemon, name)
    with Watched(before) as worker:
        fault(before)
        assert worker.ends_within()
    eventually(lambda: worker_of(daemon, name) not in (0, before))


# The faults: each takes the daemon, brings something about in a plugin, and returns when that is over


def killed(daemon: RunningDaemon) -> None:
    lose_worker(daemon, "exits", lambda pid: os.kill(pid, signal.SIGKILL))


def stopped(daemon: RunningDaemon) -> None:
    lose_worker(daemon, "hangs", lambda pid: os.kill(pid, signal.SIGSTOP))


def speaks_nonsense(daemon: RunningDaemon) -> None:
    def fault(_pid: int) -> None:
        assert misbehave(daemon, "speaks", "way=garbage").code == "worker_gone"

    lose_worker(daemon, "speaks", fault)


def floods_the_log(daemon: RunningDaemon) -> None:
    for way in ("flood", "one_line", "binary"):
        assert misbehave(daemon, "writes", f"way={way}&mark=x").status == 200


def takes_all_memory(daemon: RunningDaemon) -> None:
    before = worker_of(daemon, "memory")
    assert misbehave(daemon, "memory", "way=raise").code == "plugin_exception"
    assert misbehave(daemon, "memory", "way=catch").body == b"enough"
    assert worker_of(daemon, "memory") == before


def starts_children(daemon: RunningDaemon) -> None:
    with ExitStack() as stack:
        ways = (*KINDS_OF_CHILDREN, *["orphan"] * ORPHANS)
        pids = [int(misbehave(daemon, "children", f"way={way}").body) for way in ways]
        children = [stack.enter_context(Watched(pid)) for pid in pids]
        assert all(child.is_alive() for child in children)
        lose_worker(daemon, "children", lambda pid: os.kill(pid, signal.SIGKILL))
        assert [child.pid for child in children if not child.ends_within(2)] == []


def loses_what_it_is_forked_from(daemon: RunningDaemon) -> None:
    (template,) = templates(daemon.pid)

    def fault(pid: int) -> None:
        os.kill(template, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)

    lose_worker(daemon, "descriptors", fault)
    eventually(lambda: templates(daemon.pid) not in ([], [template]))


FAULTS: dict[str, tuple[Callable[[RunningDaemon], None], tuple[str, ...]]] = {
    # The victim, what happens to it, and which errors its other requests may meet.
    "exits": (killed, ("worker_gone",)),
    "hangs": (stopped, ("worker_gone",)),
    "speaks": (speaks_nonsense, ("worker_gone",)),
    "writes": (floods_the_log, ()),
    "memory": (takes_all_memory, ("plugin_exception",)),
    "children": (starts_children, ("worker_gone",)),
    "descriptors": (loses_what_it_is_forked_from, ("worker_gone",)),
}


@pytest.mark.parametrize("victim", FAULTS)
def test_a_fault_of_one_plugin_reaches_no_other_and_leaves_nothing(
    daemon: RunningDaemon, state: Path, victim: str
) -> None:
    fault, codes = FAULTS[victim]
    before = settled(daemon, state)
    with (
        Load(daemon.url, f"/e/{BYSTANDER}/fine", is_fine, clients=2) as bystander,
        Load(daemon.url, f"/e/{victim}/fine", is_fine_or(*codes), clients=2) as others,
    ):
        fault(daemon)
        fault(daemon)
        eventually(lambda: bystander.answered > 50)
    # An answer whose head has left when its worker goes can only be broken off.
    broken_off = {wrong for wrong in others.wrong if "worker_gone" in codes and wrong.startswith("Broken: ")}
    assert (bystander.wrong, set(others.wrong) - broken_off) == ({}, set())
    after = settled(daemon, state, before)
    assert after == before
