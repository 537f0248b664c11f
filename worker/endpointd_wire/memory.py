"""Memory that host and worker share, for the large pieces of answers.

The worker copies a piece into it, and the host hands it to the client's connection from there: on its way over the wire
it would be copied three times more. It is a ring. Positions count the bytes that were ever put into it, and those that
were left out at its end to keep a piece whole; the first page holds the position up to which the host has freed it. The
host frees a piece in the moment in which it hears of it (`Stored`), whatever the client does: what is in use is on its
way. The worker does not wait for room. A piece that finds none travels over the wire, like all small ones.
"""

from collections.abc import Sequence

from endpointd_wire.errors import RemoteWireError
from endpointd_wire.frames import MAX_PIECE

RING = 4 * MAX_PIECE
"""Bytes of the ring: what one stream may have under way (`flow.WINDOW`), so that one alone finds room."""

COUNTER_ROOM = 4096
"""Bytes before the ring: a page."""

SIZE = COUNTER_ROOM + RING
"""Bytes of the memory."""

LARGE = 32 * 1024
"""Bytes from which on a piece is worth it."""


class Ring:
    """The memory as the worker sees it, who writes it. Not safe for threads."""

    def __init__(self, memory: memoryview) -> None:
        self._freed = memory[:8].cast("Q")
        self._ring = memory[COUNTER_ROOM:]
        self._position = 0
        self._is_used = False

    def rest(self) -> bool:
        """Whether its pages can be given back: something was put into it since the last time, and the host has freed
        all of it."""
        if not self._is_used or self._freed[0] != self._position:
            return False
        self._is_used = False
        return True

    def put(self, parts: Sequence[bytes], size: int) -> int | None:
        """Copy `parts`, which have `size` bytes, one behind the other. Returns their position; None, and nothing has
        happened, when there is no room for them."""
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
    """The memory as the host sees it. It believes nothing that stands there."""

    def __init__(self, memory: memoryview) -> None:
        self._freed = memory[:8].cast("Q")
        self._ring = memory[COUNTER_ROOM:]

    def view(self, position: int, size: int) -> memoryview:
        """A piece, until it is freed. Raises `RemoteWireError` when there can be none."""
        offset = position % RING
        if not 0 <= position < 1 << 63 or offset + size > RING:
            raise RemoteWireError(f"a piece of {size} bytes cannot stand at {position} of a ring of {RING}")
        return self._ring[offset : offset + size]

    def free(self, position: int) -> None:
        """Let the worker write over all that stands before `position`."""
        self._freed[0] = position
