"""Takes the wire away from fd 0 and 1 before any plugin code can print into it.

Afterwards fd 0 reads from nowhere and fd 1 is the plugin's log, for this process and for every child that it starts.
The wire is close-on-exec, and closed in a fork too: a child of the plugin must never hold it open or speak on it.
"""

import os
import stat
import sys

from endpointd_worker.native import socket


class NotAWorker(Exception):
    """The process was started by hand: its standard input is not a wire."""


def claim_wire() -> socket:
    """The wire, as a blocking socket of its own. Raises `NotAWorker` when fd 0 is not a socket."""
    if not stat.S_ISSOCK(os.fstat(0).st_mode):
        raise NotAWorker
    wire = socket(fileno=os.dup(0))
    wire.setblocking(True)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)
    os.dup2(2, 1)
    # A print is to be in the log when it happens, not when 8 KiB have gathered.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]
    os.register_at_fork(after_in_child=wire.close)
    return wire
