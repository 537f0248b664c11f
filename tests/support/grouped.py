"""A control group (cgroup v2) for tests, left to a daemon as systemd does it. Only root can make one, where a tree is
mounted that may be written to."""

import itertools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from endpointd.supervisor import cgroup_rules as rules
from endpointd.supervisor.leaf import Leaf, processes
from support.eventually import eventually

MARK = "trusted.delegate"
"""What systemd puts on a group that it leaves to others."""
_numbers = itertools.count(1)


def why_not(*controllers: str) -> str:
    """Why no group with these controllers can be made here; nothing when one can."""
    root = _root()
    if root is None or not os.access(root, os.W_OK):
        return "no tree of control groups (v2) that may be written to: NOT TESTED"
    missing = set(controllers) - set((root / "cgroup.subtree_control").read_text().split())
    return f"control groups (v2) have no {', '.join(sorted(missing))} here: NOT TESTED" if missing else ""


def _root() -> Path | None:
    folder = rules.folder_of("/", Path("/proc/self/mountinfo").read_text())
    return None if folder is None else Path(folder)


@contextmanager
def a_group() -> Iterator[Path]:
    """A group that is left to whoever is in it. Nothing may be in it in the end, nor below it but one group."""
    root = _root()
    assert root is not None
    group = root / f"endpointd-test-{os.getpid()}-{next(_numbers)}"
    group.mkdir()
    try:
        os.setxattr(group, MARK, b"1")
        yield group
        eventually(lambda: not any(processes(folder) for folder in (group, *below(group))))
    finally:
        with suppress(OSError):
            Leaf(group).kill()
        eventually(Leaf(group).remove)


def below(group: Path) -> list[Path]:
    """The groups in it."""
    return sorted(path for path in group.iterdir() if path.is_dir())


def leaves(group: Path) -> list[Path]:
    """Those of workers."""
    return [path for path in below(group) if path.name.startswith("worker-")]


def group_of(pid: int) -> str:
    """The path of the group that the process is in."""
    path = rules.own_path(Path(f"/proc/{pid}/cgroup").read_text())
    assert path is not None
    return path


def python_in(group: Path, folder: Path) -> str:
    """An interpreter, made in `folder`, whose processes begin in `group`; what they start by themselves too."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\necho 0 > "{group}/cgroup.procs" && exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    return str(script)
