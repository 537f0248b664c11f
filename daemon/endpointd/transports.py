"""What is done to connections beyond what asyncio offers."""

import asyncio
import fcntl
import socket
import struct
import termios
from collections.abc import Sequence

JOINED = 16 * 1024
"""Bytes that are copied into one buffer, which is cheaper up to here than to name several to the system."""


def write(transport: asyncio.WriteTransport, buffers: Sequence[bytes], size: int) -> None:
    """Write them in one system call. `size` tells how many bytes they have, about."""
    if size < JOINED:
        transport.write(b"".join(buffers))
    else:
        transport.writelines(buffers)


def reset(transport: asyncio.Transport) -> None:
    """Break a connection: not even a client that takes its end for the end of the answer can mistake a reset."""
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def unsent(transport: asyncio.Transport) -> int:
    """Bytes that were given to a connection and have not reached the client's system."""
    raw = transport.get_extra_info("socket")
    size: int = transport.get_write_buffer_size()
    if raw is not None and raw.fileno() >= 0:
        size += struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return size
