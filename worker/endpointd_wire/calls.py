"""The session calls of a connection: what the worker asks of the host for a plugin, and the host's replies."""

from endpointd_wire.flow import Flow, refuse
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import Abandon, Argument, Call, CallCredit, CallMessage, Reply
from endpointd_wire.states import ARGUMENTS, REPLIES, Body, Item, Step

MAX_CALLS = 128
"""Calls that may be open at once: with `WINDOW`, what a worker can make the host hold."""

PIECE_COST = 64
"""What a piece takes of the window beside its bytes: many small ones take more memory than their bytes."""


class OpenCall(Flow):
    """One call as this side sees it."""

    __slots__ = ("arguments", "reply")

    def __init__(self) -> None:
        super().__init__()
        self.arguments = Body.OPEN
        self.reply = Item.BETWEEN


def cost(body: bytes) -> int:
    """What a piece takes of a call's window, and what credit gives back for it."""
    return len(body) + PIECE_COST


class Calls:
    """The open calls of one end; the table of `states`, applied."""

    def __init__(self) -> None:
        self._open: dict[int, OpenCall] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, call: int) -> bool:
        return call in self._open

    def next(self) -> int:
        """An id that was never used, for the next `Call`."""
        return self._last + 1

    def window(self, call: int) -> int:
        """How many bytes the next piece for `call` may have; negative when there may be none."""
        state = self._open.get(call)
        return -1 if state is None else min(state.send_window - PIECE_COST, MAX_PIECE)

    def is_of_interest(self, message: CallMessage, ours: bool) -> bool:
        """False for what is said to a call that is over."""
        if type(message) is Call or message.call in self._open:
            return True
        if not ours and not 0 < message.call <= self._last:
            refuse(f"{type(message).__name__} came for call {message.call}, which never was", ours)
        return False

    def apply(self, message: CallMessage, ours: bool) -> None:
        """Change the call's state by `message`, which is of interest."""
        kind = type(message)
        if isinstance(message, Call):
            self._begin(message, ours)
            return
        state = self._open[message.call]
        if isinstance(message, CallCredit):
            state.grant(message.size, ours)
        elif isinstance(message, Argument):
            self._continue_arguments(state, message, ours)
        elif isinstance(message, Reply):
            following = _follow(state.reply, (kind, message.end), ours)
            state.take(len(message.body), ours, PIECE_COST)
            state.reply = following
        else:
            if not isinstance(message, Abandon):
                _follow(state.reply, (kind, None), ours)
            del self._open[message.call]

    def _begin(self, message: Call, ours: bool) -> None:
        if message.call <= self._last:
            refuse(f"call {message.call} was used before", ours)
        if len(self._open) >= MAX_CALLS:
            refuse(f"there are {MAX_CALLS} calls already", ours)
        if message.head < 0:
            refuse(f"a call's arguments cannot have {message.head} bytes", ours)
        state = OpenCall()
        self._continue_arguments(state, message, ours)
        self._open[message.call] = state
        self._last = message.call

    def _continue_arguments(self, state: OpenCall, message: Call | Argument, ours: bool) -> None:
        following = ARGUMENTS.get((state.arguments, message.end))
        if following is None:
            refuse(f"a call's data (end {message.end}) came when its arguments were {state.arguments.value}", ours)
        state.take(len(message.body), ours, PIECE_COST)
        state.arguments = following


def _follow(state: Item, step: Step, ours: bool) -> Item:
    following = REPLIES.get((state, step))
    if following is None:
        kind, end = step
        refuse(f"{kind.__name__} (end {end}) came when the reply was {state.value}", ours)
    return following
