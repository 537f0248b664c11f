"""The memory that the host shares with a worker (`endpointd_wire.memory`): made, and given away over the wire."""

import fcntl
import mmap
import os
import socket
from collections.abc import Sequence

from endpointd_wire.memory import SIZE, RingReader


def share(wire: socket.socket, frame: Sequence[bytes]) -> RingReader:
    """Send `frame`, which says so, together with new memory. Raises `OSError`.

    The memory can neither shrink nor grow: a page that is not there any more would end whoever looks at it.
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
