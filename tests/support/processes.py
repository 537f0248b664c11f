"""What the system knows about a process: whether it lives, what it holds, what belongs to it."""

import os
import select
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

WAIT_SECONDS = 10.0


class Watched:
    """A process held by a pidfd, so that its number cannot come to mean another one."""

    def __init__(self, pid: int) -> None:
        """ProcessLookupError: there is none."""
        self.pid = pid
        self._fd = os.pidfd_open(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def is_alive(self) -> bool:
        return not self.ends_within(0)

    def ends_within(self, timeout: float = WAIT_SECONDS) -> bool:
        """Wait for its end for at most `timeout` seconds."""
        return bool(select.select([self._fd], [], [], timeout)[0])

    def send(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it has ended."""
        if self.is_alive():
            signal.pidfd_send_signal(self._fd, number)


def resident(pid: int) -> int:
    """Bytes of memory that the process has in RAM."""
    return int(_status(pid, "VmRSS").split()[0]) * 1024


def threads(pid: int) -> int:
    return int(_status(pid, "Threads"))


def descriptors(pid: int) -> int:
    """How many files it has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def children(pid: int) -> list[int]:
    """Its children, zombies among them."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        # A thread that ends meanwhile has left its children to another one.
        with suppress(FileNotFoundError, ProcessLookupError):
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


def workers(daemon: int) -> list[int]:
    """Its children but for its keeper and its template."""
    return [pid for pid, command in _commands(daemon) if not _is_beside(command)]


def templates(daemon: int) -> list[int]:
    """Those of its children that workers are forked from: one, or none."""
    return [pid for pid, command in _commands(daemon) if _is_template(command)]


def _commands(daemon: int) -> Iterator[tuple[int, bytes]]:
    for pid in children(daemon):
        # It may end meanwhile.
        with suppress(FileNotFoundError, ProcessLookupError):
            yield pid, Path(f"/proc/{pid}/cmdline").read_bytes()


def _is_beside(command: bytes) -> bool:
    return b"keeper.py" in command or _is_template(command)


def _is_template(command: bytes) -> bool:
    return command.endswith(b"\0template\0")


def is_running(pid: int) -> bool:
    """Whether the process is there, and not a zombie that its parent has not reaped yet."""
    try:
        return not is_zombie(pid)
    except (FileNotFoundError, ProcessLookupError):
        return False


def is_zombie(pid: int) -> bool:
    return _status(pid, "State").startswith("Z")


def session(pid: int) -> int:
    """The id of the session that it belongs to."""
    return os.getsid(pid)


def _status(pid: int, key: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.partition(":")[2].strip() for line in lines if line.startswith(f"{key}:"))
