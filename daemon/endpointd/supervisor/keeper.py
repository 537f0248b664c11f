"""Ends the processes that a dead host leaves behind. Run by path as a process beside the host; the host imports it too,
to read marks.

A worker whose wire is closed ends by itself, with its process group. It cannot do so while it is stopped, or while
native code holds the interpreter, and it cannot reach processes that have left its group. A parent-death signal would
end only the worker, before it could end its group. Therefore there is the keeper: it waits for the end of a pipe whose
other end only the host has, and then kills every process that bears one of the host's marks.

A mark is a hard limit for the time that a real-time process may run without blocking (RLIMIT_RTTIME), of some hundred
thousand years. All descendants inherit it, whatever they do to their session, parent and environment, and it can be
read of every process, even of a zombie.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator

MARK_ROOM = 1 << 23
"""The number of marks of one host. A mark is the host's base plus the worker's pid, which is smaller than this
(PID_MAX_LIMIT)."""
TEMPLATE = MARK_ROOM - 1
"""Replaces the pid in the mark of the template, and of each process that it forks, until that sets its own mark. It is
the highest number because an unprivileged process can lower a hard limit but not raise it."""
_LIMIT = "Max realtime timeout"
_ROUNDS = 50
_PAUSE = 0.02


def worker_of(pid: int, base: int) -> int | None:
    """The pid of the worker that `pid` is or descends from; None if it has no mark of the host with this `base`."""
    try:
        with open(f"/proc/{pid}/limits", encoding="ascii") as limits:
            # The line is "Max realtime timeout", the soft limit, the hard one, "us".
            found = next((line.split()[-2] for line in limits if line.startswith(_LIMIT)), "")
    except (OSError, IndexError):
        return None
    number = int(found) - base if found.isdecimal() else -1
    return number if 0 < number < MARK_ROOM else None


def _is_dead(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return stat.read().rpartition(b") ")[2][:1] in b"ZX"
    except OSError:
        return True


def _bearers(base: int) -> Iterator[int]:
    for name in os.listdir("/proc"):
        if name.isdecimal() and worker_of(int(name), base) is not None and not _is_dead(int(name)):
            yield int(name)


def _kill(pid: int, base: int) -> None:
    """Kill `pid`, unless the pid now belongs to another process, which has no mark."""
    with contextlib.suppress(OSError):
        process = os.pidfd_open(pid)
        try:
            if worker_of(pid, base) is not None:
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)


def end_all(base: int) -> None:
    """Kill all processes with a mark of the host, including those that they start meanwhile."""
    for _ in range(_ROUNDS):
        found = list(_bearers(base))
        if not found:
            return
        for pid in found:
            _kill(pid, base)
        time.sleep(_PAUSE)


def main() -> None:
    # Signals to the host's terminal or control group are meant for the host, not for the keeper.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    end_all(int(sys.argv[1]))


if __name__ == "__main__":
    main()
