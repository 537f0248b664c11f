"""Sets up a process that the template has forked, so that it equals one that was executed: session, file descriptors,
working directory, user, environment variables, command line."""

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
    """The host's order for one worker. `command` is the command line with which the process would have been executed;
    its last argument are the limits. `folder` is the working directory. `account` is the uid, the gid, and the
    supplementary groups; None keeps the user."""

    command: list[str]
    folder: str
    environment: dict[str, str]
    account: tuple[int, int, list[int]] | None

    @classmethod
    def parse(cls, text: bytes) -> Self:
        return cls(**json.loads(text))


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses in a process's memory of its command line (`start` to `end_of_command`) and of its initial
    environment variables, which follow it (up to `end`)."""

    start: int
    end_of_command: int
    end: int

    @classmethod
    def of_this_process(cls) -> Self:
        with open("/proc/self/stat", "rb") as stat:
            # The fields 48, 49 and 51 in proc(5), which counts from 1; the first two fields are cut off here.
            fields = stat.read().rpartition(b")")[2].split()
        return cls(int(fields[45]), int(fields[46]), int(fields[48]))


def set_up(
    order: Order, wire: int, log: int, report: int, addresses: Addresses, preloaded: Preloaded
) -> dict[str, ModuleType]:
    """Set up this process as `order` says. Returns modules to keep referenced. After an `OSError` the process must
    exit."""
    os.setsid()
    _take_descriptors(wire, log, report)
    os.chdir(order.folder)
    if order.account is not None:
        _switch_user(*order.account)
        if not os.access(sys.executable, os.X_OK):
            # Modules that are still to be imported would not be accessible either.
            raise PermissionError(13, "the interpreter is out of reach", sys.executable)
    _take_variables(order.environment)
    # Last, because it overwrites the memory of the initial variables.
    _show_command(order.command, addresses)
    sys.argv = [order.command[-2], order.command[-1]]
    sys.orig_argv = order.command
    return preloaded.give_way_to(order.folder)


def _take_descriptors(wire: int, log: int, report: int) -> None:
    """Make `wire` fd 0 and 1 and `log` fd 2, and close all others but `report`, which is close-on-exec."""
    os.dup2(wire, 0)
    os.dup2(wire, 1)
    os.dup2(log, 2)
    os.closerange(3, report)
    os.closerange(report + 1, os.sysconf("SC_OPEN_MAX"))


def _switch_user(user: int, group: int, groups: list[int]) -> None:
    ctypes = importlib.import_module("ctypes")
    prctl = ctypes.CDLL(None).prctl
    os.setgroups(groups)
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)
    # A process that has changed its user may not access its own /proc entries until it executes a program, or sets
    # this.
    prctl(_SET_DUMPABLE, *(ctypes.c_ulong(number) for number in (1, 0, 0, 0)))


def _take_variables(environment: dict[str, str]) -> None:
    # The interpreter sets LC_CTYPE itself if the locale is C (PEP 538).
    coerced = {name: os.environ[name] for name in ("LC_CTYPE",) if name in os.environ}
    os.environ.clear()
    os.environ.update({**coerced, **environment})
    time.tzset()


def _show_command(command: list[str], addresses: Addresses) -> None:
    """Let `ps` show `command`, by writing it over the old command line. If the last byte of that is not zero, the
    kernel shows everything up to the first zero byte, also beyond the old end."""
    room = addresses.end - addresses.start
    line = os.fsencode(" ".join(command))[: room - 1].ljust(addresses.end_of_command - addresses.start)
    with suppress(OSError):
        memory = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.pwrite(memory, line.ljust(room, b"\0"), addresses.start)
        finally:
            os.close(memory)
