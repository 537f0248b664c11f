"""Applies the process limits (rlimits, nice) before any plugin code runs.

The worker does this itself because the host cannot: no Python code may run between fork and exec in a process with
threads. Both the soft and the hard limits are set, so that a plugin cannot raise them again unless it is root.
"""

import contextlib
import json
import os
import resource
import sys

NO_CORE = 1
"""RLIMIT_CORE in bytes: no core dump, because the memory holds secrets. A limit of 0 stops the kernel from writing a
core file, but not from piping the core to a program; a limit of 1 stops both."""


def confine(argument: str) -> None:
    """Apply the limits in `argument`, the JSON that the host's `ProcessLimits.argument` makes."""
    limits: dict[str, int] = json.loads(argument)
    _set_mark(limits["mark"] + os.getpid())
    _limit(resource.RLIMIT_CORE, NO_CORE, "core files")
    # Not RLIMIT_AS: address space that is only reserved (stacks, arenas, mapped files) costs nothing.
    _limit(resource.RLIMIT_DATA, limits["memory"], "limit_memory")
    _limit(resource.RLIMIT_NPROC, limits["processes"], "limit_processes")
    _limit(resource.RLIMIT_NOFILE, limits["files"], "limit_files")
    if limits["nice"]:
        os.nice(limits["nice"])


def set_template_mark(argument: str) -> None:
    """Set the mark in `argument` without adding a process id: for the template, which is not a worker."""
    _set_mark(json.loads(argument)["mark"])


def _limit(kind: int, value: int, name: str) -> None:
    """Set a soft and hard limit; 0 means none. If the system already allows less, keep that and say so in the plugin's
    log."""
    if not value:
        return
    try:
        resource.setrlimit(kind, (value, value))
    except (ValueError, OSError):
        hard = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (hard, hard))
        if kind != resource.RLIMIT_CORE:
            sys.stderr.write(f"endpointd: {name} is {value}, but the system allows {hard} and no more\n")


def _set_mark(mark: int) -> None:
    """Set the mark by which the host recognises this process and all its descendants (`supervisor/keeper.py`): a value
    of RLIMIT_RTTIME, which is inherited."""
    # If RLIMIT_RTTIME is already lower there is no mark; the host still knows the process group and the wire.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_RTTIME, (mark, mark))
