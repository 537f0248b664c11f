"""Finds the control group that is delegated to the daemon, and divides it."""

import contextlib
import errno
import os
from pathlib import Path

from endpointd.supervisor import cgroup_rules as rules
from endpointd.supervisor.cgroup_rules import HOST, Asker, Seen
from endpointd.supervisor.leaf import processes, write

ROUNDS = 20
"""How many attempts are made to move all processes out of a group: they may start others meanwhile."""
_MARKS = ("user.delegate", "trusted.delegate")
_SYSTEMD = Path("/run/systemd/system")


class Division:
    """The group `base` is to be divided into `host`, the daemon's group, and one group for each worker."""

    def __init__(self, base: Path, host: Path) -> None:
        self.base = base
        self.host = host

    def __repr__(self) -> str:
        return f"<Division of {self.base} with {self.host}>"

    def settle(self) -> None:
        """Move the daemon, and all other processes in `base`, into `host`. Raises `OSError`; processes that were moved
        already stay there, else nothing has changed."""
        self.host.mkdir(exist_ok=True)
        try:
            self._move_all()
        except OSError:
            with contextlib.suppress(OSError):
                self.host.rmdir()
            raise

    def _move_all(self) -> None:
        for _ in range(ROUNDS):
            found = processes(self.base)
            if not found:
                return
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    write(self.host / "cgroup.procs", str(pid))
        raise OSError(errno.EBUSY, "it does not become empty")

    def enable(self) -> tuple[str, ...]:
        """Enable the controllers for the groups in `base`. Returns those that are enabled; errors are ignored."""
        enabled = self.base / "cgroup.subtree_control"
        for word in rules.enabling((self.base / "cgroup.controllers").read_text(), enabled.read_text()):
            with contextlib.suppress(OSError):
                write(enabled, word)
        return rules.enabled_of(enabled.read_text())

    def leftovers(self) -> list[Path]:
        """The workers' groups that dead daemons have left behind."""
        names = [entry.name for entry in os.scandir(self.base) if entry.is_dir()]
        return [self.base / name for name in rules.leftovers(names, processes(self.host), os.getpid())]


def find(proc: Path = Path("/proc/self"), asker: Asker | None = None) -> Division | str:
    """The group that the daemon may divide, or a text that says why there is none. The parameters are for tests."""
    path = rules.own_path((proc / "cgroup").read_text())
    mounts = (proc / "mountinfo").read_text()
    folder = None if path is None else rules.folder_of(path, mounts)
    if path is None or folder is None:
        return "this system shows the daemon no control group of version 2"
    parent = path.rpartition("/")[0] or "/"
    folder_above = None if path == "/" else rules.folder_of(parent, mounts)
    own = _look(path, Path(folder))
    above = None if folder_above is None else _look(parent, Path(folder_above))
    base = rules.divisible(own, above, asker or Asker(os.getpid(), os.geteuid() == 0, _SYSTEMD.is_dir()))
    if isinstance(base, str):
        return base
    if base is own:
        return Division(Path(folder), Path(folder) / HOST)
    assert folder_above is not None
    return Division(Path(folder_above), Path(folder))


def _look(path: str, folder: Path) -> Seen:
    needed = (folder, folder / "cgroup.procs", folder / "cgroup.subtree_control")
    is_writable = all(os.access(file, os.W_OK) for file in needed)
    return Seen(path, is_writable, any(_says_yes(folder, mark) for mark in _MARKS), processes(folder))


def _says_yes(folder: Path, mark: str) -> bool:
    try:
        return os.getxattr(folder, mark) == b"1"
    except OSError:
        return False
