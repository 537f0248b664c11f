"""Workers in control groups of the kernel's own: nobody escapes from one, nothing is left, and limits hold.

What needs controllers runs where the system has them in version 2 and the test may use them.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from endpointd.supervisor.leaf import processes
from endpointd.testing import DaemonStarter, RunningDaemon
from support.catalogue import fine, misbehave, write_catalogue
from support.eventually import eventually
from support.grouped import MARK, a_group, below, group_of, leaves, python_in, why_not
from support.processes import Watched, children

pytestmark = pytest.mark.skipif(bool(why_not()), reason=why_not())
WITH_CONTROLLERS = ("cpu", "memory", "pids")
needs_controllers = pytest.mark.skipif(bool(why_not(*WITH_CONTROLLERS)), reason=why_not(*WITH_CONTROLLERS))
# Also one that leaves its parent, its session and its environment.
WAYS = ("fork", "subprocess", "session", "fork_session", "orphan")
NAMES = ("children", "takes")
MIB = 1024 * 1024

Serve = Callable[..., RunningDaemon]


@pytest.fixture
def group() -> Iterator[Path]:
    with a_group() as group:
        yield group


@pytest.fixture
def serve(group: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts a daemon in the group, or in one below it."""
    starter = DaemonStarter(lambda name: tmp_path / name)
    plugins = write_catalogue(tmp_path / "plugins", *NAMES)

    def serve(*, place: Path = group, **settings: Any) -> RunningDaemon:  # noqa: ANN401 - whatever the daemon takes
        monkeypatch.setattr(sys, "executable", python_in(place, tmp_path))
        try:
            return starter(plugins, **{"state": tmp_path / "state", "restart_stable": 0, **settings})
        finally:
            monkeypatch.undo()

    yield serve
    starter.stop_all()


def leaf_of(pid: int, group: Path) -> Path:
    """The group of the worker that `pid` is in; it is there."""
    leaf = group / Path(group_of(pid)).name
    assert leaf in leaves(group)
    return leaf


def wait_for_new_worker(daemon: RunningDaemon, name: str, before: int) -> int:
    eventually(lambda: fine(daemon, name) != before)
    return fine(daemon, name)


# Who is where


def test_the_daemon_has_a_place_and_each_worker_a_group(serve: Serve, group: Path) -> None:
    daemon = serve()
    pids = [fine(daemon, name) for name in ("children", "takes", "bystander")]
    found = [leaf_of(pid, group) for pid in pids]
    assert sorted(found) == leaves(group)
    assert len(set(found)) == 3
    assert below(group) == [group / "host", *leaves(group)]
    # The daemon, and its keeper.
    others = set(children(daemon.pid)) - set(pids)
    assert {group_of(pid) for pid in (daemon.pid, *others)} == {f"/{group.name}/host"}
    [used] = [event for event in daemon.events() if event["event"].startswith("cgroups.")]
    assert (used["event"], used["folder"], used["level"]) == ("cgroups.used", str(group), "info")
    assert daemon.stop() == 0
    assert below(group) == [group / "host"]


def test_a_daemon_that_was_put_below_its_group_stays_there(serve: Serve, group: Path) -> None:
    """As with DelegateSubgroup=."""
    (group / "main").mkdir()
    daemon = serve(place=group / "main")
    leaf_of(fine(daemon, "children"), group)
    assert group_of(daemon.pid) == f"/{group.name}/main"
    assert below(group) == [group / "main", *leaves(group)]


def test_a_plugin_is_in_its_group_before_its_code_runs(serve: Serve, group: Path) -> None:
    daemon = serve()
    leaf = leaf_of(fine(daemon, "takes"), group)
    daemon.wait_for_log(f"imported in /{group.name}/{leaf.name}")


@pytest.mark.parametrize("way", WAYS)
def test_what_a_worker_starts_is_in_its_group(serve: Serve, group: Path, way: str) -> None:
    daemon = serve()
    leaf = leaf_of(fine(daemon, "children"), group)
    assert leaf_of(int(misbehave(daemon, "children", f"way={way}").body), group) == leaf


def test_where_others_are_in_its_group_the_daemon_leaves_it_as_it_is(serve: Serve, group: Path) -> None:
    os.removexattr(group, MARK)
    with sleeper(group):
        daemon = serve()
        assert group_of(fine(daemon)) == group_of(daemon.pid) == f"/{group.name}"
        assert below(group) == []
        [event] = [event for event in daemon.events() if event["event"].startswith("cgroups.")]
        assert (event["event"], event["level"]) == ("cgroups.not_used", "info")
        assert daemon.stop() == 0


@contextmanager
def sleeper(group: Path) -> Iterator[Watched]:
    """A process in the group that does nothing, until it is ended."""
    with subprocess.Popen(["sleep", "1000"]) as process, Watched(process.pid) as watched:
        try:
            (group / "cgroup.procs").write_text(str(process.pid))
            yield watched
        finally:
            process.kill()


# The end


def test_old_and_new_worker_are_in_groups_of_their_own_and_the_old_one_goes_as_a_whole(
    serve: Serve, group: Path, tmp_path: Path
) -> None:
    daemon = serve()
    before = fine(daemon, "children")
    leaf = leaf_of(before, group)
    with ExitStack() as stack:
        pids = [int(misbehave(daemon, "children", f"way={way}").body) for way in WAYS]
        left = [stack.enter_context(Watched(pid)) for pid in pids]
        source = tmp_path / "plugins" / "children" / "source.py"
        source.write_text(f"{source.read_text()}\n# Changed.\n")
        after = wait_for_new_worker(daemon, "children", before)
        assert leaf_of(after, group) != leaf
        assert [one.pid for one in left if not one.ends_within()] == []
    eventually(lambda: not leaf.exists())


def test_nothing_escapes_though_it_is_freed_of_its_mark_and_is_never_the_same(serve: Serve, group: Path) -> None:
    """There is no parent, no session and no number by which it could be found."""
    daemon = serve()
    before = fine(daemon, "takes")
    leaf = leaf_of(before, group)
    first = int(misbehave(daemon, "takes", "way=runaway").body)
    eventually(lambda: first not in processes(leaf) and processes(leaf) != {before})
    os.kill(before, signal.SIGKILL)
    eventually(lambda: not leaf.exists())
    wait_for_new_worker(daemon, "takes", before)


def test_what_a_killed_daemon_has_left_ends_with_the_next_start(serve: Serve, group: Path) -> None:
    daemon = serve()
    leaf = leaf_of(fine(daemon, "children"), group)
    # Neither the keeper nor the wire reaches this one.
    stray = group / f"worker-{daemon.pid}-99"
    (stray / "of a plugin").mkdir(parents=True)
    with sleeper(stray / "of a plugin") as sleeping:
        daemon.kill()
        assert sleeping.is_alive()
        assert leaf.exists()
        serve()
        assert sleeping.ends_within()
    eventually(lambda: not stray.exists() and not leaf.exists())
    assert len(leaves(group)) == 3


def test_the_workers_of_another_daemon_in_the_group_are_left_alone(serve: Serve, group: Path, tmp_path: Path) -> None:
    first = serve()
    before = leaves(group)
    second = serve(place=group / "host", state=tmp_path / "another")
    assert len(leaves(group)) == 6
    assert set(before) < set(leaves(group))
    assert second.stop() == 0
    assert leaves(group) == before
    fine(first)


# Limits


@pytest.fixture
def limited(serve: Serve) -> RunningDaemon:
    return serve(limit_memory="64MiB", limit_processes=60, nice=5, concurrency=4)


@needs_controllers
def test_limits_hold_in_the_group_and_not_in_the_process(limited: RunningDaemon, group: Path) -> None:
    [used] = [event for event in limited.events() if event["event"] == "cgroups.used"]
    assert used["controllers"] == ["memory", "pids", "cpu"]
    leaf = leaf_of(fine(limited, "takes"), group)
    held = {name: (leaf / name).read_text().strip() for name in ("memory.max", "memory.oom.group", "pids.max")}
    assert held == {"memory.max": str(64 * MIB), "memory.oom.group": "1", "pids.max": "60"}
    assert (leaf / "cpu.weight.nice").read_text() == "5\n"
    data, processes, files, nice = misbehave(limited, "takes", "way=limits").body.split()
    own = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_DATA, resource.RLIMIT_NPROC)]
    assert [int(data), int(processes), int(files), int(nice)] == [*own, 1024, os.nice(0) + 5]


@needs_controllers
@pytest.mark.parametrize("way", ["memory", "memory_of_a_child"])
def test_who_takes_too_much_memory_is_ended_as_a_whole_and_that_is_told(limited: RunningDaemon, way: str) -> None:
    bystander, before = fine(limited), fine(limited, "takes")
    answer = misbehave(limited, "takes", f"way={way}")
    assert (answer.status, answer.code) == (502, "worker_gone")
    limited.wait_for_log(f'the worker was killed by SIGKILL (out of memory)", "pid": {before}')
    wait_for_new_worker(limited, "takes", before)
    assert fine(limited) == bystander


@needs_controllers
def test_a_death_of_another_cause_is_not_taken_for_it(limited: RunningDaemon) -> None:
    before = fine(limited, "takes")
    os.kill(before, signal.SIGKILL)
    limited.wait_for_log(f'the worker was killed by SIGKILL", "pid": {before}')


@needs_controllers
def test_memory_that_is_only_reserved_does_not_count(limited: RunningDaemon) -> None:
    assert misbehave(limited, "takes", "way=reserved").body == b"1073741824"


@needs_controllers
def test_threads_are_bounded_for_root_too(limited: RunningDaemon) -> None:
    assert 30 < int(misbehave(limited, "takes", "way=threads").body) < 60


@needs_controllers
def test_without_a_controller_the_process_is_held_to_the_limit(serve: Serve, group: Path) -> None:
    """The group above gives memory alone."""
    (group / "inner").mkdir()
    os.setxattr(group / "inner", MARK, b"1")
    (group / "cgroup.subtree_control").write_text("+memory")
    daemon = serve(place=group / "inner", limit_memory="64MiB", limit_processes=12_345)
    data, processes, *_ = map(int, misbehave(daemon, "takes", "way=limits").body.split())
    assert (data, processes) == (resource.getrlimit(resource.RLIMIT_DATA)[0], 12_345)
    assert (leaves(group / "inner")[0] / "memory.max").read_text() == f"{64 * MIB}\n"
