"""Flow control: the send and receive windows of one stream or call. The rules are the same in both directions."""

from typing import NoReturn

from endpointd_wire.errors import LocalWireError, RemoteWireError, WireError
from endpointd_wire.frames import MAX_PIECE

WINDOW = 1024 * 1024
"""Bytes of one body, in one direction, that may be sent and not yet consumed. This bounds what a stalled stream holds
in memory on each side, and is large enough that the round trip (some 0.2 ms at 2 GB/s) does not slow a stream."""

CREDIT_STEP = WINDOW // 4
"""Credit is returned in steps of this many bytes: often enough that a sender never waits for a reader that keeps up,
seldom enough to cost nothing. While less than a step is held back, the window still has room for a whole piece
(`MAX_PIECE`)."""


class Flow:
    """How many bytes may still be sent, and how many received, before more credit is granted."""

    __slots__ = ("receive_window", "send_window")

    def __init__(self) -> None:
        self.send_window = WINDOW
        self.receive_window = WINDOW

    def take(self, size: int, ours: bool, extra: int = 0) -> None:
        """Count a piece of `size` bytes, plus `extra`, that this side sends (`ours`) or receives. Raises if it does not
        fit into the window."""
        window = self.send_window if ours else self.receive_window
        if size + extra > window or size > MAX_PIECE:
            refuse(f"{size} bytes of body are more than the window of {window} or a piece of {MAX_PIECE}", ours)
        if ours:
            self.send_window -= size + extra
        else:
            self.receive_window -= size + extra

    def grant(self, size: int, ours: bool) -> None:
        """Count a credit of `size` bytes that this side sends (`ours`: the peer may send more) or receives. Raises if
        it exceeds what was used."""
        granted = self.receive_window if ours else self.send_window
        if size <= 0 or granted + size > WINDOW:
            refuse(f"a credit of {size} bytes on top of {granted} is more than was used", ours)
        if ours:
            self.receive_window += size
        else:
            self.send_window += size


def refuse(reason: str, ours: bool) -> NoReturn:
    """Raise the error of the side that broke a rule: this one (`ours`: `LocalWireError`) or the peer
    (`RemoteWireError`)."""
    error: WireError = LocalWireError(reason) if ours else RemoteWireError(reason)
    raise error
