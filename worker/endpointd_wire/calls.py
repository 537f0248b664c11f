"""The session calls of a connection: what a plugin asks of the host (storage, models, apps, …), and the replies."""

from endpointd_wire.flow import Flow, refuse
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import Abandon, Argument, Call, CallCredit, CallMessage, Reply
from endpointd_wire.states import ARGUMENTS, REPLIES, Body, Item, Step

MAX_CALLS = 128
"""Calls that may be open at once. Together with `WINDOW` this bounds the memory that a worker can make the host use."""

PIECE_COST = 64
"""Bytes that each piece takes of the window beyond its own size, because many small pieces take more memory than their
bytes."""


class OpenCall(Flow):
    """The state of one call, as this side knows it."""

    __slots__ = ("arguments", "reply")

    def __init__(self) -> None:
        super().__init__()
        self.arguments = Body.OPEN
        self.reply = Item.BETWEEN


def cost(body: bytes) -> int:
    """The bytes that a piece takes of a call's window, and that credit gives back for it."""
    return len(body) + PIECE_COST


class Calls:
    """The open calls of one side of a connection. Applies the tables `ARGUMENTS` and `REPLIES`."""

    def __init__(self) -> None:
        self._open: dict[int, OpenCall] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._open)

    def __contains__(self, call: int) -> bool:
        return call in self._open

    def next(self) -> int:
        """The id to use for the next `Call`."""
        return self._last + 1

    def window(self, call: int) -> int:
        """How many bytes the next piece for `call` may have; negative if not even an empty piece may be sent."""
        state = self._open.get(call)
        return -1 if state is None else min(state.send_window - PIECE_COST, MAX_PIECE)

    def is_of_interest(self, message: CallMessage, ours: bool) -> bool:
        """False for a message to a call that is over. Raises `RemoteWireError` for one that never existed."""
        if type(message) is Call or message.call in self._open:
            return True
        if not ours and not 0 < message.call <= self._last:
            refuse(f"{type(message).__name__} came for call {message.call}, which never was", ours)
        return False

    def apply(self, message: CallMessage, ours: bool) -> None:
        """Change the call's state by `message`, for which `is_of_interest` was true."""
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
