"""Figures of processes from /proc: memory, CPU time, descendants."""

import os
from pathlib import Path

PROC = Path("/proc")
MIB = 1024 * 1024


def pss(pid: int) -> int:
    """Return the proportional set size in bytes: shared pages count in part. Return 0 if the process has ended."""
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def peak(pid: int) -> int:
    """Return the largest resident set since the start, or since ``forget_peak``, in bytes."""
    lines = (PROC / str(pid) / "status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def forget_peak(pid: int) -> None:
    """Reset the value that ``peak`` returns."""
    (PROC / str(pid) / "clear_refs").write_text("5", "ascii")


def cpu_seconds(pid: int) -> float:
    """Return the CPU time of a process's threads, in seconds."""
    fields = (PROC / str(pid) / "stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def descendants(pid: int) -> list[int]:
    """Return the pids of all descendants of a process."""
    found: list[int] = []
    try:
        for task in (PROC / str(pid) / "task").iterdir():
            found += [int(child) for child in (task / "children").read_text("ascii").split()]
    except OSError:
        return []
    return found + [further for child in found for further in descendants(child)]


def tree_pss(pid: int) -> int:
    """Return the proportional set size of a process and all its descendants together, in bytes."""
    return sum(map(pss, (pid, *descendants(pid))))
