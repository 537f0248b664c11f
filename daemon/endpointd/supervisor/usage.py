"""What a process uses, and whether the system has run out of memory. Parsers that are pure, and their thin readers."""

import os
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """`memory`: bytes in RAM, those shared with others included. `cpu`: seconds since its start, in all its threads."""

    memory: int
    cpu: float


def parse_memory(statm: bytes, page: int) -> int:
    """Bytes in RAM, of /proc/PID/statm: its second number, in pages."""
    return int(statm.split()[1]) * page


def parse_cpu(stat: bytes, ticks: int) -> float:
    """Seconds in user mode and in the kernel, of /proc/PID/stat. The name in it may hold blanks and parentheses."""
    fields = stat.rpartition(b")")[2].split()
    # The fields 14 and 15 of the line, of which two come before the first here.
    return (int(fields[11]) + int(fields[12])) / ticks


def parse_oom_kills(vmstat: bytes) -> int | None:
    """How many processes were killed for want of memory since the system started; None when it does not count."""
    found = (line.split()[1] for line in vmstat.splitlines() if line.startswith(b"oom_kill "))
    return next(map(int, found), None)


def usage_of(pid: int) -> Usage | None:
    """What `pid` uses now; None when it is gone, or has ended and was not waited for yet."""
    try:
        memory = parse_memory(_read(f"/proc/{pid}/statm"), _PAGE)
        cpu = parse_cpu(_read(f"/proc/{pid}/stat"), _TICKS)
    except OSError:
        return None
    return Usage(memory, cpu) if memory else None


def resident(pid: int) -> int | None:
    """The memory alone, as `usage_of` gives it."""
    try:
        return parse_memory(_read(f"/proc/{pid}/statm"), _PAGE) or None
    except OSError:
        return None


def oom_kills() -> int | None:
    """How often the system has killed for want of memory; None when it does not say."""
    try:
        return parse_oom_kills(_read("/proc/vmstat"))
    except OSError:
        return None


def _read(path: str) -> bytes:
    return Path(path).read_bytes()
