"""The resources that a process uses, and whether the system has run out of memory. Pure parsers, and functions that
read the files for them."""

import os
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory`: bytes in RAM, including those shared with other processes. `cpu`: seconds of processor time of all its
    threads since its start."""

    memory: int
    cpu: float


def parse_memory(statm: bytes, page: int) -> int:
    """Bytes in RAM, from the contents of /proc/PID/statm. `page` is the size of a page in bytes."""
    return int(statm.split()[1]) * page


def parse_cpu(stat: bytes, ticks: int) -> float:
    """Seconds in user mode and in the kernel, from the contents of /proc/PID/stat. `ticks` is the number of clock ticks
    per second."""
    # The process's name, in parentheses, may contain blanks and parentheses.
    fields = stat.rpartition(b")")[2].split()
    # Fields 14 and 15 of the line, whose first two have been cut off.
    return (int(fields[11]) + int(fields[12])) / ticks


def parse_oom_kills(vmstat: bytes) -> int | None:
    """How many processes were killed for lack of memory since the system started, from the contents of /proc/vmstat;
    None if it is not counted."""
    found = (line.split()[1] for line in vmstat.splitlines() if line.startswith(b"oom_kill "))
    return next(map(int, found), None)


def usage_of(pid: int) -> Usage | None:
    """What `pid` uses now; None if it does not exist or is a zombie."""
    try:
        memory = parse_memory(_read(f"/proc/{pid}/statm"), _PAGE)
        cpu = parse_cpu(_read(f"/proc/{pid}/stat"), _TICKS)
    except OSError:
        return None
    return Usage(memory, cpu) if memory else None


def resident(pid: int) -> int | None:
    """Only `Usage.memory` of a process; None as for `usage_of`."""
    try:
        return parse_memory(_read(f"/proc/{pid}/statm"), _PAGE) or None
    except OSError:
        return None


def oom_kills() -> int | None:
    """How many processes the system has killed for lack of memory since it started; None if unknown."""
    try:
        return parse_oom_kills(_read("/proc/vmstat"))
    except OSError:
        return None


def _read(path: str) -> bytes:
    return Path(path).read_bytes()
