"""The template: a process that has imported what every worker needs, and forks a worker for each order of the host.

It has one thread, runs no plugin code, and holds only its own end of a socket. An order comes with three descriptors:
the wire, the log, and a pipe for the report. The report ends when the worker is set up and is a child of the host, or
when that has failed; it says what went wrong.

The template forks twice, and the process in between exits at once. So the worker becomes a child of the host, which is
a subreaper.

Lines of the report: `P<pid>` the worker's process id; `N<errno>` the fork has failed; `E<errno>` the set-up has failed;
`.` the process in between has exited.
"""

import array
import gc
import os
import socket
import struct
import sys
from types import ModuleType

from endpointd_worker.forked import Addresses, Order, set_up
from endpointd_worker.preload import preload
from endpointd_worker.stdio import claim_wire

LENGTH = struct.Struct("!I")
"""The length of an order in bytes, sent before it."""

DESCRIPTORS = 3
"""How many descriptors come with an order."""


def wait_for_orders() -> tuple[int, dict[str, ModuleType]]:
    """Serve the host; the process exits when the host is gone.

    Returns only in a forked worker: the descriptor of the report, to be closed when everything is set up, and modules
    to keep referenced. Raises `NotAWorker` if fd 0 is not a socket.
    """
    control = claim_wire()
    preloaded = preload()
    addresses = Addresses.of_this_process()
    # The memory is shared with every worker. A garbage collection would write into it, and the pages would be copied.
    gc.collect()
    gc.disable()
    gc.freeze()
    control.send(b".")
    while True:
        text, descriptors = _receive(control)
        if _fork_worker(descriptors[-1]):
            break
        for descriptor in descriptors:
            os.close(descriptor)
    wire, log, report = descriptors
    try:
        held = set_up(Order.parse(text), wire, log, report, addresses, preloaded)
    except OSError as error:
        os.write(report, b"E%d\n" % (error.errno or 0))
        os._exit(1)
    gc.enable()
    return report, held


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """The next order and the descriptors that came with it. Exits the process if the host has closed the socket."""
    flags = socket.MSG_WAITALL | socket.MSG_CMSG_CLOEXEC
    room = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
    head, ancillary, _, _ = control.recvmsg(LENGTH.size, room, flags)
    text = control.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL) if len(head) == LENGTH.size else b""
    if not text:
        os._exit(0)
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    return text, [*descriptors]


def _fork_worker(report: int) -> bool:
    """Fork twice. Returns True in the grandchild (the worker), and False in the template, after the child in between
    has exited."""
    itself = os.getpid()
    try:
        between = os.fork()
        if between == 0:
            worker = os.fork()
            if worker == 0:
                return True
            os.write(report, b"P%d\n" % worker)
            os._exit(0)
    except OSError as error:
        os.write(report, b"N%d\n" % (error.errno or 0))
        if os.getpid() != itself:
            os._exit(0)
        return False
    os.waitpid(between, 0)
    os.write(report, b".\n")
    return False


def refuse() -> None:
    """Exit, because Dify's SDK is installed here: gevent has to patch each worker before anything is imported."""
    sys.stderr.write("endpointd: the interpreter's own packages hold Dify's SDK, whose workers cannot be forked\n")
    os._exit(UNSUPPORTED)


UNSUPPORTED = 3
"""The exit status that tells the host that there can be no template with this interpreter."""
