"""How much may be under way: the windows of one stream or call, the same rules for both directions."""

from typing import NoReturn

from endpointd_wire.errors import LocalWireError, RemoteWireError, WireError
from endpointd_wire.frames import MAX_PIECE

WINDOW = 1024 * 1024
"""Bytes of one body, in one direction, that may be under way and not yet consumed. What a stalled stream can hold in
memory on each side; large enough that a stream is not slowed by the round trip (some 0.2 ms at 2 GB/s)."""

CREDIT_STEP = WINDOW // 4
"""Credit is returned in steps of this size: often enough that the sender never waits for a reader that keeps up, seldom
enough to cost nothing. A piece of a body (`MAX_PIECE`) fits beside what is held back."""


class Flow:
    """What may be sent, and what may be received, before more is granted. Bytes."""

    __slots__ = ("receive_window", "send_window")

    def __init__(self) -> None:
        self.send_window = WINDOW
        self.receive_window = WINDOW

    def take(self, size: int, ours: bool, extra: int = 0) -> None:
        """A piece of `size` bytes is sent (ours) or received; it costs `extra` besides."""
        window = self.send_window if ours else self.receive_window
        if size + extra > window or size > MAX_PIECE:
            refuse(f"{size} bytes of body are more than the window of {window} or a piece of {MAX_PIECE}", ours)
        if ours:
            self.send_window -= size + extra
        else:
            self.receive_window -= size + extra

    def grant(self, size: int, ours: bool) -> None:
        """The peer (ours), or this side, may send so many more."""
        granted = self.receive_window if ours else self.send_window
        if size <= 0 or granted + size > WINDOW:
            refuse(f"a credit of {size} bytes on top of {granted} is more than was used", ours)
        if ours:
            self.receive_window += size
        else:
            self.send_window += size


def refuse(reason: str, ours: bool) -> NoReturn:
    """Whoever says what may not be said is wrong: this side, or the peer."""
    error: WireError = LocalWireError(reason) if ours else RemoteWireError(reason)
    raise error
