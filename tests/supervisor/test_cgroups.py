"""The daemon's group divided, in a tree of files that looks like the kernel's; what only the kernel does is tested with
it (`tests/live/test_cgroups.py`)."""

import asyncio
import os
from pathlib import Path

import pytest
import structlog.testing

from endpointd.supervisor import cgroups as cgroups_module
from endpointd.supervisor.cgroup_rules import Asker, Write
from endpointd.supervisor.cgroups import Cgroups
from endpointd.supervisor.delegation import Division, find
from endpointd.supervisor.leaf import Leaf
from endpointd.supervisor.limits import ProcessLimits

MIB = 1024 * 1024
PID = os.getpid()
LIMITS = ProcessLimits(files=10, memory=MIB, processes=7, nice=3)
MAX = Write("memory", "memory.max", "5")
MARK = "user.delegate"


def group(folder: Path, *pids: int, **files: str) -> Path:
    """A group's folder. In a file, what is written stays where it was read."""
    folder.mkdir()
    (folder / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
    for name in ("cgroup.controllers", "cgroup.subtree_control"):
        (folder / name).write_text(files.get(name.partition(".")[2], ""))
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A mounted tree with the group /unit, and in proc/ what the system says of that to a process in it."""
    root = group(tmp_path / "with blank")
    group(root / "unit", PID, controllers="cpuset memory pids", subtree_control="memory pids")
    proc = tmp_path / "proc"
    proc.mkdir()
    point = str(root).replace(" ", r"\040")
    (proc / "mountinfo").write_text(f"41 31 0:38 / {point} rw - cgroup2 cgroup2 rw\n")
    (proc / "cgroup").write_text("0::/unit\n")
    return root


def found(tree: Path, path: str = "/unit", *, has_systemd: bool = False) -> Division | str:
    proc = tree.parent / "proc"
    (proc / "cgroup").write_text(f"0::{path}\n")
    return find(proc, Asker(PID, is_root=True, has_systemd=has_systemd))


def mark(folder: Path) -> None:
    try:
        os.setxattr(folder, MARK, b"1")
    except OSError as error:
        pytest.skip(f"this file system keeps no marks ({error}): NOT TESTED")


# Finding


def test_a_group_with_nobody_else_in_it_is_found(tree: Path) -> None:
    division = found(tree)
    assert isinstance(division, Division)
    assert (division.base, division.host) == (tree / "unit", tree / "unit" / "host")


def test_the_mark_of_systemd_is_found(tree: Path) -> None:
    assert isinstance(found(tree, has_systemd=True), str)
    mark(tree / "unit")
    assert isinstance(found(tree, has_systemd=True), Division)


def test_a_group_below_the_marked_one_is_the_daemons_place(tree: Path) -> None:
    mark(tree / "unit")
    group(tree / "unit" / "main", PID)
    division = found(tree, "/unit/main", has_systemd=True)
    assert isinstance(division, Division)
    assert (division.base, division.host) == (tree / "unit", tree / "unit" / "main")


@pytest.mark.parametrize("missing", ["cgroup.procs", "cgroup.subtree_control"])
def test_a_group_that_cannot_be_written_to_is_none(tree: Path, missing: str) -> None:
    (tree / "unit" / missing).unlink()
    assert "may not write" in str(found(tree))


@pytest.mark.parametrize("text", ["", "4:memory:/a\n", "0::/../outside\n", "0::/gone (deleted)\n"])
def test_without_a_group_of_version_2_there_is_none(tree: Path, text: str) -> None:
    proc = tree.parent / "proc"
    (proc / "cgroup").write_text(text)
    assert isinstance(find(proc), str)


def test_this_system_is_looked_at_without_a_fault() -> None:
    assert isinstance(find(), Division | str)


# Dividing


def test_controllers_that_hold_already_are_not_touched(tree: Path) -> None:
    division = found(tree)
    assert isinstance(division, Division)
    assert division.enable() == ("memory", "pids")
    assert (tree / "unit" / "cgroup.subtree_control").read_text() == "memory pids"


def test_a_group_that_does_not_become_empty_is_not_divided(tree: Path) -> None:
    """The files stay as they are, as if somebody came back again and again."""
    cgroups = Cgroups()
    with structlog.testing.capture_logs() as events:
        cgroups.start(found(tree))
    assert [(event["event"], event["log_level"]) for event in events] == [("cgroups.not_used", "info")]
    assert cgroups.leaf(LIMITS) == (None, LIMITS)
    assert not (tree / "unit" / "host").exists()


def test_without_a_group_nothing_is_done_and_that_is_told_once() -> None:
    cgroups = Cgroups()
    with structlog.testing.capture_logs() as events:
        cgroups.start("because of this")
        assert cgroups.leaf(LIMITS) == (None, LIMITS)
    assert events == [{"event": "cgroups.not_used", "because": "because of this", "log_level": "info"}]


# The groups of workers


@pytest.fixture
def used(tree: Path) -> Cgroups:
    """A daemon that is in its place already."""
    (tree / "unit" / "cgroup.procs").write_text("")
    group(tree / "unit" / "host", PID)
    cgroups = Cgroups()
    cgroups.start(Division(tree / "unit", tree / "unit" / "host"))
    return cgroups


@pytest.fixture
def _full_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new group of a worker has files, as the kernel gives them to it."""
    mkdir = Path.mkdir

    def full(folder: Path, mode: int = 0o777, **more: bool) -> None:
        mkdir(folder, mode, **more)
        if folder.name.startswith("worker-"):
            for name in ("memory.max", "pids.max", "cgroup.procs", "cgroup.kill"):
                (folder / name).touch()

    monkeypatch.setattr(Path, "mkdir", full)


@pytest.mark.usefixtures("_full_groups")
def test_a_worker_has_a_group_that_holds_its_limits(used: Cgroups, tree: Path) -> None:
    """The memory without its extras, which an older kernel does not have; the rest is for the process."""
    first, left = used.leaf(LIMITS)
    second, _ = used.leaf(LIMITS)
    assert first is not None
    assert second is not None
    assert first.folder.parent == second.folder.parent == tree / "unit"
    assert first.folder != second.folder
    assert left == ProcessLimits(files=10, memory=0, processes=0, nice=3)
    assert (first.folder / "memory.max").read_text() == str(MIB)
    assert (first.folder / "pids.max").read_text() == "7"


def test_what_a_group_does_not_hold_is_left_to_the_process(used: Cgroups) -> None:
    """Here it has no files at all."""
    leaf, left = used.leaf(LIMITS)
    assert leaf is not None
    assert left == LIMITS


def test_a_group_that_cannot_be_made_is_told_and_limits_hold_all_the_same(used: Cgroups, tree: Path) -> None:
    (tree / "unit").rename(tree / "away")
    with structlog.testing.capture_logs() as events:
        assert used.leaf(LIMITS) == (None, LIMITS)
    assert [(event["event"], event["log_level"]) for event in events] == [("cgroup.not_made", "warning")]


@pytest.mark.usefixtures("_full_groups")
def test_a_process_is_put_into_it_and_killed_with_it(tmp_path: Path) -> None:
    leaf = Leaf(tmp_path / "worker-1-1")
    assert leaf.make([MAX, Write("pids", "pids.strange", "7")]) == {"memory"}
    leaf.take(4711)
    leaf.kill()
    assert (leaf.folder / "cgroup.procs").read_text() == "4711"
    assert (leaf.folder / "cgroup.kill").read_text() == "1"


def test_who_cannot_be_put_into_it_is_told_where_to(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=f"cannot be put into the control group {tmp_path}/gone: No such file"):
        Leaf(tmp_path / "gone").take(PID)


def test_want_of_memory_is_known_where_it_is_counted(tmp_path: Path) -> None:
    leaf = Leaf(tmp_path)
    assert leaf.starved() is None
    (tmp_path / "memory.events").write_text("oom 1\noom_kill 0\n")
    assert leaf.starved() is False
    (tmp_path / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert leaf.starved() is True


def test_a_group_is_removed_with_those_below_it(tmp_path: Path) -> None:
    leaf = Leaf(tmp_path / "leaf")
    (leaf.folder / "of" / "a plugin").mkdir(parents=True)
    assert leaf.remove() is True
    assert not leaf.folder.exists()
    assert leaf.remove() is True


def test_one_that_is_not_empty_at_once_is_removed_later_and_waited_for(used: Cgroups, tree: Path) -> None:
    busy = tree / "unit" / "worker-1-1"
    (busy / "file").parent.mkdir()
    (busy / "file").touch()

    async def story() -> None:
        used.discard(Leaf(busy))
        assert busy.exists()
        stopping = asyncio.create_task(used.stop())
        await asyncio.sleep(0)
        assert not stopping.done()
        (busy / "file").unlink()
        await stopping
        assert not busy.exists()

    with structlog.testing.capture_logs() as events:
        asyncio.run(asyncio.wait_for(story(), 10))
    assert events == []


@pytest.mark.parametrize("stop", [True, False], ids=["when the daemon ends", "by itself"])
def test_one_that_never_becomes_empty_is_given_up_and_told(
    used: Cgroups, tree: Path, monkeypatch: pytest.MonkeyPatch, stop: bool
) -> None:
    monkeypatch.setattr(cgroups_module, "LAST_LEAVES", 0.01 if stop else 100)
    monkeypatch.setattr(cgroups_module, "PAUSES", (0.0, 0.0, 100.0) if stop else (0.0, 0.0, 0.0))
    (tree / "unit" / "worker-1-1" / "held").mkdir(parents=True)
    (tree / "unit" / "worker-1-1" / "held" / "file").touch()

    async def story() -> None:
        used.discard(Leaf(tree / "unit" / "worker-1-1"))
        await used.stop()

    with structlog.testing.capture_logs() as events:
        asyncio.run(asyncio.wait_for(story(), 10))
    assert [(event["event"], event["log_level"]) for event in events] == [("cgroup.not_removed", "warning")]


def test_what_a_dead_daemon_has_left_is_removed_at_the_start(tree: Path) -> None:
    (tree / "unit" / "cgroup.procs").write_text("")
    group(tree / "unit" / "host", PID, 8)
    for name in ("worker-7-1", "worker-8-1", f"worker-{PID}-3", "another"):
        (tree / "unit" / name).mkdir()

    async def story() -> None:
        Cgroups().start(Division(tree / "unit", tree / "unit" / "host"))

    asyncio.run(story())
    assert sorted(path.name for path in (tree / "unit").iterdir() if path.is_dir()) == ["another", "host", "worker-8-1"]
