"""What is done to connections beyond what asyncio offers."""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Sequence

JOINED = 16 * 1024
"""Bytes that are copied into one buffer, which is cheaper up to here than to name several to the system."""


def write(transport: asyncio.WriteTransport, buffers: Sequence[bytes | memoryview], size: int) -> None:
    """Write them in one system call. `size` tells how many bytes they have, about."""
    if size < JOINED:
        transport.write(b"".join(buffers))
    else:
        transport.writelines(buffers)


def write_at_once(transport: asyncio.Transport, buffers: Sequence[bytes | memoryview]) -> None:
    """Write them, and keep none: what the connection does not take at once is copied."""
    sent = 0
    raw = transport.get_extra_info("socket")
    if raw is not None and not transport.get_write_buffer_size() and transport.get_extra_info("sslcontext") is None:
        # An error will show itself to the transport as well, which knows whom to tell.
        with contextlib.suppress(OSError):
            sent = os.writev(raw.fileno(), buffers)
    if sent < sum(map(len, buffers)):
        transport.write(memoryview(b"".join(buffers))[sent:])


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
