"""Makes the worker's process obey its limits, before any code of the plugin runs.

The worker does so itself because the host must not: between fork and exec of a process with threads nothing of Python
may run. Both the soft and the hard limit are set, so that a plugin cannot raise them again unless it is root.
"""

import contextlib
import json
import os
import resource
import sys

NO_CORE = 1
"""No memory with secrets in it on any disk. 0 would keep a kernel from writing a core file, but not from handing the
core to a program; a limit of one byte stops both."""


def confine(argument: str) -> None:
    """Apply what the host's `ProcessLimits.argument` says."""
    limits: dict[str, int] = json.loads(argument)
    _mark(limits["mark"] + os.getpid())
    _limit(resource.RLIMIT_CORE, NO_CORE, "core files")
    # Not the address space: what is only reserved (stacks, arenas, mapped files) costs nothing.
    _limit(resource.RLIMIT_DATA, limits["memory"], "limit_memory")
    _limit(resource.RLIMIT_NPROC, limits["processes"], "limit_processes")
    _limit(resource.RLIMIT_NOFILE, limits["files"], "limit_files")
    if limits["nice"]:
        os.nice(limits["nice"])


def bear_mark(argument: str) -> None:
    """Bear the mark that is in `argument` as it is: that of whoever is not a worker yet."""
    _mark(json.loads(argument)["mark"])


def _limit(kind: int, value: int, name: str) -> None:
    """Set a limit; where the system allows less already, that stays, and the plugin's log says so."""
    if not value:
        return
    try:
        resource.setrlimit(kind, (value, value))
    except (ValueError, OSError):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard, hard))
        if kind != resource.RLIMIT_CORE:
            sys.stderr.write(f"endpointd: {name} is {value}, but the system allows {hard} and no more\n")


def _mark(mark: int) -> None:
    """Bear the mark by which the host knows this process and all that descend from it (`supervisor/keeper.py`)."""
    # Where the time of real-time processes is limited already, there is no mark; the group and the wire remain.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (mark, mark))
