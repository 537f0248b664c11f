"""Moves the wire away from fd 0 and 1 before any plugin code can print into it.

Afterwards fd 0 is /dev/null and fd 1 is the plugin's log, for this process and for every child that it starts. The wire
is close-on-exec, and is also closed after a fork: a child of the plugin must neither hold it open nor write to it.
"""

import os
import stat
import sys

from endpointd_worker.native import socket


class NotAWorker(Exception):
    """The process was started by hand: its standard input is not a socket."""


def claim_wire() -> socket:
    """Move the wire from fd 0 to a new descriptor; returns it as a blocking socket. Raises `NotAWorker` if fd 0 is not
    a socket."""
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        raise NotAWorker
    wire = socket(fileno=os.dup(0))
    wire.setblocking(True)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    # A printed line must be in the log at once, not when 8 KiB have gathered.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    os.register_at_fork(after_in_child=wire.close)
    return wire
