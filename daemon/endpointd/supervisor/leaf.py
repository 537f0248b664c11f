"""The control group of one worker: makes it, fills it, kills its processes and removes it. All calls are short and do
not block."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from endpointd.supervisor.cgroup_rules import Write, killed_for_memory


class Leaf:
    """One group, which need not exist yet. A plugin may have made groups below it, if it is permitted to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"<Leaf {self.folder}>"

    def make(self, writes: Iterable[Write]) -> set[str]:
        """Make the group, and perform `writes`. Returns the controllers for which all of them succeeded, except extra
        ones. Raises `OSError` if the group cannot be made."""
        self.folder.mkdir()
        held, refused = set[str](), set[str]()
        for one in writes:
            try:
                write(self.folder / one.name, one.value)
                held.add(one.controller)
            except OSError:
                if not one.is_extra:
                    refused.add(one.controller)
        return held - refused

    def take(self, pid: int) -> None:
        """Move a process into the group; those that it will start are in it too. Raises `OSError`."""
        try:
            # A process that has ended already need not be moved.
            with contextlib.suppress(ProcessLookupError):
                write(self.folder / "cgroup.procs", str(pid))
        except OSError as error:
            message = f"it cannot be put into the control group {self.folder}: {error.strerror}"
            raise OSError(error.errno, message) from error

    def kill(self) -> None:
        """Kill all processes in the group, including those that are being started. Before Linux 5.14, only those that
        are found."""
        try:
            write(self.folder / "cgroup.kill", "1")
        except OSError:
            for folder in self._folders():
                # 0 stands for a process outside of this pid namespace; `kill` would take it for its own process group.
                for pid in processes(folder) - {0}:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)

    def starved(self) -> bool | None:
        """Whether the system has killed a process of the group because it was out of memory; None if unknown."""
        try:
            return killed_for_memory((self.folder / "memory.events").read_text())
        except OSError:
            return None

    def remove(self) -> bool:
        """Try to remove the group. Returns whether it is gone; it is not as long as processes in it are ending."""
        with contextlib.suppress(OSError):
            for folder in self._folders():
                folder.rmdir()
        return not self.folder.exists()

    def _folders(self) -> Iterable[Path]:
        """The group's directory, after all those below it."""
        return [Path(folder) for folder, _, _ in os.walk(self.folder, topdown=False)]


def write(file: Path, value: str) -> None:
    """Write to an existing file. Raises `OSError`, also if it does not exist."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def processes(folder: Path) -> frozenset[int]:
    """The pids in a group, without those in groups below it; empty if the group does not exist."""
    try:
        return frozenset(map(int, (folder / "cgroup.procs").read_text().split()))
    except OSError:
        return frozenset()
