"""Makes a process that the template has forked what one is that was executed: session, descriptors, folder, user,
variables, command line."""

import importlib
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Self

from endpointd_worker.preload import Preloaded

_SET_DUMPABLE = 4
"""`PR_SET_DUMPABLE`; <linux/prctl.h>"""


@dataclass(frozen=True, slots=True)
class Order:
    """What the host wants. `account` is the user's number, the group's, and those of further groups; `command` is what
    the process would have been executed with: its last word are the limits."""

    command: list[str]
    folder: str
    environment: dict[str, str]
    account: tuple[int, int, list[int]] | None

    @classmethod
    def parse(cls, text: bytes) -> Self:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where in its memory a process has its command line, and behind that the variables that it was started with."""

    start: int
    end_of_command: int
    end: int

    @classmethod
    def of_this_process(cls) -> Self:
        with open("/proc/self/stat", "rb") as stat:
            # The fields 48, 49 and 51 of the line, of which two come before the first here.
            fields = stat.read().rpartition(b")")[2].split()
        return cls(int(fields[45]), int(fields[46]), int(fields[48]))


def become(
    order: Order, wire: int, log: int, report: int, addresses: Addresses, preloaded: Preloaded
) -> dict[str, ModuleType]:
    """Be the process that `order` wants; returns modules to be held. Raises `OSError`; this process is good for
    nothing then."""
    os.setsid()
    _take(wire, log, report)
    os.chdir(order.folder)
    if order.account is not None:
        _be(*order.account)
        if not os.access(sys.executable, os.X_OK):
            # What it would still have to import is out of its reach too.
            raise PermissionError(13, "the interpreter is out of reach", sys.executable)
    _take_variables(order.environment)
    # Now that no variable is there any more.
    _rename(order.command, addresses)
    sys.argv = [order.command[-2], order.command[-1]]
    sys.orig_argv = order.command
    return preloaded.give_way_to(order.folder)


def _take(wire: int, log: int, report: int) -> None:
    """These descriptors and no others; the report is not for what this process may execute."""
    os.dup2(wire, 0)
    os.dup2(wire, 1)
    os.dup2(log, 2)
    os.closerange(3, report)
    os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))


def _be(user: int, group: int, groups: list[int]) -> None:
    ctypes = importlib.import_module("ctypes")
    prctl = ctypes.CDLL(None).prctl
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    # A process that changes its user cannot look at itself below /proc, unless it executes something or says so.
    prctl(_SET_DUMPABLE, *(ctypes.c_ulong(number) for number in (1, 0, 0, 0)))


def _take_variables(environment: dict[str, str]) -> None:
    # The interpreter sets it itself where the locale is C.
    coerced = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update({**coerced, **environment})
    time.tzset()


def _rename(command: list[str], addresses: Addresses) -> None:
    """Have `ps` show the command. It is written over the old one; the kernel shows what ends at the first zero byte,
    if the last byte of the old one is none."""
    room = addresses.end - addresses.start
    line = os.fsencode(" ".join(command))[: room - 1].ljust(addresses.end_of_command - addresses.start)
    with suppress(OSError):
        memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(memory, line.ljust(room, b"\0"), addresses.start)
        finally:
            os.close(memory)
