"""Creates the memory that the host shares with a worker (see `endpointd_wire.memory`), and sends it to the worker."""

import fcntl
import mmap
import os
import socket
from collections.abc import Sequence

from endpointd_wire.memory import SIZE, RingReader


def share(wire: socket.socket, frame: Sequence[bytes]) -> RingReader:
    """Create shared memory, and send its descriptor over `wire` together with `frame`, which announces it. Returns the
    host's reader. Raises OSError.

    The memory is sealed against shrinking and growing: an access to a page that is gone would kill the process.
    """
    descriptor = os.memfd_create("endpointd", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, SIZE)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        memory = mmap.mmap(descriptor, SIZE)
        socket.send_fds(wire, frame, [descriptor])
    finally:
        os.close(descriptor)
    return RingReader(memoryview(memory))
