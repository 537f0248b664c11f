"""Ends what a dead host leaves behind. Run by path, as a process beside the host; imported for how marks are read.

A worker ends by itself when its wire does, and takes its group along. It cannot while it is stopped, or while native
code holds the interpreter; and what has left its group it cannot reach. A signal at the parent's death would end the
worker alone, before it could end its group. Therefore somebody outlives the host for a moment: the keeper waits for
the end of a pipe whose other end the host alone has, and then kills every process that bears one of the host's marks.

A mark is a hard limit for the time that a real-time process may run without a pause, of some hundred thousand years.
Limits are inherited by every descendant, whatever it does to its session, its parent and its environment, and can be
read of every process, also of one that has ended and was not waited for.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator

MARK_ROOM = 1 << 23
"""Marks of one host: its base and the pid of the worker, and pids are smaller than this (PID_MAX_LIMIT)."""
TEMPLATE = MARK_ROOM - 1
"""What stands for the pid in the mark of the template and of what it has forked, until that has a mark of its own:
being the highest, it can be lowered to any other by whoever may not raise a limit."""
_LIMIT = "Max realtime timeout"
_ROUNDS = 50
_PAUSE = 0.02


def worker_of(pid: int, base: int) -> int | None:
    """The pid of the worker that `pid` descends from, or is; None when it has no mark of this host."""
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
    """Kill `pid` if it still is who it was: its number may have come to mean another process."""
    with contextlib.suppress(OSError):
        process = os.pidfd_open(pid)
        try:
            if worker_of(pid, base) is not None:
                signal.pidfd_send_signal(process, signal.SIGKILL)
        finally:
            os.close(process)


def end_all(base: int) -> None:
    """Kill all that bear a mark of the host, and those that they have started meanwhile."""
    for _ in range(_ROUNDS):
        found = list(_bearers(base))
        if not found:
            return
        for pid in found:
            _kill(pid, base)
        time.sleep(_PAUSE)


def main() -> None:
    # What asks the host to end, in its terminal or its control group, is not meant for the keeper.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 1):
        pass
    end_all(int(sys.argv[1]))


if __name__ == "__main__":
    main()
