"""Memory that host and worker share, for the large pieces of answers.

The worker copies a piece into it, and the host hands the piece from there to the client's connection. Over the socket
it would be copied three times more.

The memory is a ring buffer. A position counts all bytes that were ever put into the ring, including those skipped at
its end so that a piece is never split. The first page holds the position up to which the host has freed the ring. The
host frees a piece as soon as it has handled the message about it (`Stored`), however slow the client is, so only pieces
whose message is still on its way take room. The worker never waits for room: a piece that does not fit is sent over the
socket, as all small ones are.
"""

from collections.abc import Sequence

from endpointd_wire.errors import RemoteWireError
from endpointd_wire.frames import MAX_PIECE

RING = 4 * MAX_PIECE
"""Bytes of the ring: as many as the window of one stream (`flow.WINDOW`), so that a stream alone always finds room."""

COUNTER_ROOM = 4096
"""Bytes before the ring: a page, which begins with the host's 8-byte counter."""

SIZE = COUNTER_ROOM + RING
"""Bytes of the whole memory."""

LARGE = 32 * 1024
"""The smallest piece, in bytes, for which the shared memory is faster than the socket."""


class Ring:
    """The worker's side: it writes pieces into the ring. Not thread-safe."""

    def __init__(self, memory: memoryview) -> None:
        self._freed = memory[:8].cast("Q")
        self._ring = memory[COUNTER_ROOM:]
        self._position = 0
        self._is_used = False

    def rest(self) -> bool:
        """Whether the ring's pages can be given back to the system: something was put in since the last True, and the
        host has freed all of it."""
        if not self._is_used or self._freed[0] != self._position:
            return False
        self._is_used = False
        return True

    def put(self, parts: Sequence[bytes], size: int) -> int | None:
        """Copy `parts`, `size` bytes in total, into the ring as one piece. Returns its position; None, without copying
        anything, if there is no room."""
        position = self._position
        offset = position % RING
        if offset + size > RING:
            position += RING - offset
            offset = 0
        if position + size - self._freed[0] > RING:
            return None
        for part in parts:
            end = offset + len(part)
            self._ring[offset:end] = part
            offset = end
        self._position = position + size
        self._is_used = True
        return position


class RingReader:
    """The host's side: it reads pieces and frees them. It trusts nothing that the worker has written."""

    def __init__(self, memory: memoryview) -> None:
        self._freed = memory[:8].cast("Q")
        self._ring = memory[COUNTER_ROOM:]

    def view(self, position: int, size: int) -> memoryview:
        """The piece at `position`, valid until it is freed. Raises `RemoteWireError` if it would not lie in the
        ring."""
        offset = position % RING
        if not 0 <= position < 1 << 63 or offset + size > RING:
            raise RemoteWireError(f"a piece of {size} bytes cannot stand at {position} of a ring of {RING}")
        return self._ring[offset : offset + size]

    def free(self, position: int) -> None:
        """Allow the worker to overwrite everything before `position`."""
        self._freed[0] = position
