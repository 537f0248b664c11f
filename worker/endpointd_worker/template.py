"""The template: a process that has imported what every worker needs, and forks one for each order of the host.

It has one thread, runs no plugin code, and holds nothing but its own end of a socket. An order comes with three
descriptors: the wire, the log, and a pipe for the report. Whoever reads the report to its end knows that the birth is
over: that the process is set up, that nobody stands between it and the host any more, or what went wrong.

It forks twice, and the one in between ends at once: so the worker becomes a child of the host, who takes in orphans.
"""

import array
import gc
import os
import socket
import struct
import sys
from types import ModuleType

from endpointd_worker.newborn import Addresses, Order, become
from endpointd_worker.preload import preload
from endpointd_worker.stdio import claim_wire

LENGTH = struct.Struct("!I")
"""Before an order: how long it is."""

DESCRIPTORS = 3


def wait_for_orders() -> tuple[int, dict[str, ModuleType]]:
    """Serve the host until it is gone, which ends the process. Returns in each worker, as its process: the descriptor
    of the report, which is to be closed when all is set up, and modules to be held. Raises `NotAWorker` when fd 0 is
    no socket."""
    control = claim_wire()
    preloaded = preload()
    addresses = Addresses.of_this_process()
    # What is here is shared with every worker: no collection is to write into it, here or there.
    gc.collect()
    gc.disable()
    gc.freeze()
    control.send(b".")
    while True:
        text, descriptors = _receive(control)
        if _is_newborn(descriptors[-1]):
            break
        for descriptor in descriptors:
            os.close(descriptor)
    wire, log, report = descriptors
    try:
        held = become(Order.parse(text), wire, log, report, addresses, preloaded)
    except OSError as error:
        os.write(report, b"E%d\n" % (error.errno or 0))
        os._exit(1)
    gc.enable()
    return report, held


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    """The next order, and what came with it."""
    flags = socket.MSG_WAITALL | socket.MSG_CMSG_CLOEXEC
    room = socket.CMSG_SPACE(DESCRIPTORS * array.array("i").itemsize)
    head, ancillary, _, _ = control.recvmsg(LENGTH.size, room, flags)
    text = control.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL) if len(head) == LENGTH.size else b""
    if not text:
        # The host has ended, or wants this process to.
        os._exit(0)
    descriptors = array.array("i")
    for _, _, data in ancillary:
        descriptors.frombytes(data)
    return text, [*descriptors]


def _is_newborn(report: int) -> bool:
    """Fork twice; whether this is the last of the three processes. The first one returns when the second has ended."""
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


def leave() -> None:
    """There can be no template here: workers have to be prepared before anything is imported."""
    sys.stderr.write("endpointd: the interpreter's own packages hold Dify's SDK, whose workers cannot be forked\n")
    os._exit(UNWILLING)


UNWILLING = 3
"""Exit status of a template that cannot be one."""
