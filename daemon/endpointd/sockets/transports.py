"""Operations on connections that asyncio does not offer."""

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Sequence

JOINED = 16 * 1024
"""Up to this many bytes, copying several buffers into one is cheaper than passing them to the system separately."""


def write(transport: asyncio.WriteTransport, buffers: Sequence[bytes | memoryview], size: int) -> None:
    """Write the buffers in one system call. `size` is their approximate number of bytes."""
    if size < JOINED:
        transport.write(b"".join(buffers))
    else:
        transport.writelines(buffers)


def write_at_once(transport: asyncio.Transport, buffers: Sequence[bytes | memoryview]) -> None:
    """Write the buffers without keeping references to them: what cannot be sent at once is copied."""
    sent = 0
    raw = transport.get_extra_info("socket")
    if raw is not None and not transport.get_write_buffer_size() and transport.get_extra_info("sslcontext") is None:
        # The transport will get the same error, and report it to its protocol.
        with contextlib.suppress(OSError):
            sent = os.writev(raw.fileno(), buffers)
    if sent < sum(map(len, buffers)):
        transport.write(memoryview(b"".join(buffers))[sent:])


def reset(transport: asyncio.Transport) -> None:
    """Abort a connection with a TCP reset, so that clients cannot mistake its end for the end of the response."""
    raw = transport.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def unsent(transport: asyncio.Transport) -> int:
    """The number of bytes that were written to the connection, but not acknowledged by the client's system yet."""
    raw = transport.get_extra_info("socket")
    size: int = transport.get_write_buffer_size()
    if raw is not None and raw.fileno() >= 0:
        size += struct.unpack("i", fcntl.ioctl(raw.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]
    return size
