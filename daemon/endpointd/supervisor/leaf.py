"""The control group of one worker: made, filled, killed and removed. Small reads and writes, none of which blocks."""

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from endpointd.supervisor.cgroup_rules import Write, killed_for_memory


class Leaf:
    """One group, which need not exist yet. A plugin may have made groups below it, if it has the right."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __repr__(self) -> str:
        return f"<Leaf {self.folder}>"

    def make(self, writes: Iterable[Write]) -> set[str]:
        """Make it, and hold it to `writes`; returns the controllers that do so. Raises `OSError`: there is none."""
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
        """Put a process into it, with all that it will start. Raises `OSError`."""
        try:
            # One that has ended already can escape no more.
            with contextlib.suppress(ProcessLookupError):
                write(self.folder / "cgroup.procs", str(pid))
        except OSError as error:
            message = f"it cannot be put into the control group {self.folder}: {error.strerror}"
            raise OSError(error.errno, message) from error

    def kill(self) -> None:
        """End all that is in it, and nothing escapes by starting others. Before Linux 5.14 those are ended that are
        found."""
        try:
            write(self.folder / "cgroup.kill", "1")
        except OSError:
            for folder in self._folders():
                # 0 is a process that cannot be seen from here, and for `kill` it is this one's whole group.
                for pid in processes(folder) - {0}:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)

    def starved(self) -> bool | None:
        """Whether the system has killed for want of memory in it; None where that is not counted."""
        try:
            return killed_for_memory((self.folder / "memory.events").read_text())
        except OSError:
            return None

    def remove(self) -> bool:
        """Whether it is gone. It is not while a process in it is about to end."""
        with contextlib.suppress(OSError):
            for folder in self._folders():
                folder.rmdir()
        return not self.folder.exists()

    def _folders(self) -> Iterable[Path]:
        """It, after all that is below it."""
        return [Path(folder) for folder, _, _ in os.walk(self.folder, topdown=False)]


def write(file: Path, value: str) -> None:
    """Raises `OSError`; the file is not made where there is none."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, value.encode())
    finally:
        os.close(descriptor)


def processes(folder: Path) -> frozenset[int]:
    """The processes in a group itself; none when it is gone."""
    try:
        return frozenset(map(int, (folder / "cgroup.procs").read_text().split()))
    except OSError:
        return frozenset()
