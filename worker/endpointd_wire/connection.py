"""The protocol as one object that both sides use: bytes in, messages out; messages in, bytes out; every rule checked.

It does no I/O and is not thread-safe. Its owner passes it the bytes that were received, writes the bytes that it
returns, and holds a lock where several threads use it.
"""

from collections.abc import Callable
from enum import Enum
from typing import TypeVar

from endpointd_wire.calls import Calls
from endpointd_wire.errors import LocalWireError, RemoteWireError
from endpointd_wire.flow import WINDOW, Flow, refuse
from endpointd_wire.frames import FrameReader, encode
from endpointd_wire.memory import LARGE
from endpointd_wire.messages import Call, Cancel, Credit, Data, Message, Request, Response, Stored
from endpointd_wire.states import (
    ANSWERS,
    BODIES,
    CALL_MESSAGES,
    CANCELLED_ANSWERS,
    HOST_SAYS,
    HOST_TRANSITIONS,
    WORKER_SAYS,
    WORKER_TRANSITIONS,
    Answer,
    Body,
    Phase,
)

T = TypeVar("T")

WIRE_VERSION = 5
"""The version of this protocol; the host refuses a worker of another one."""


class Role(Enum):
    HOST = "host"
    WORKER = "worker"


class Stream(Flow):
    """The state of one request and its answer, as this side knows it."""

    __slots__ = ("answer", "body", "cancelled")

    def __init__(self) -> None:
        # As in `Flow.__init__`, which is not called: a stream is made for every request, and the call would take longer
        # than the rest.
        self.send_window = WINDOW
        self.receive_window = WINDOW
        self.answer = Answer.AWAITED
        self.body = Body.OPEN
        self.cancelled = False


class Connection:
    """One end of the wire between the host and a worker."""

    def __init__(self, role: Role) -> None:
        self.phase = Phase.NEW
        self.calls = Calls()
        self._role = role
        is_host = role is Role.HOST
        self._send_transitions = HOST_TRANSITIONS if is_host else WORKER_TRANSITIONS
        self._receive_transitions = WORKER_TRANSITIONS if is_host else HOST_TRANSITIONS
        self._reader = FrameReader()
        self._streams: dict[int, Stream] = {}
        self._last_stream = 0
        self._poison: RemoteWireError | None = None

    def __repr__(self) -> str:
        return f"<Connection {self._role.value}: {self.phase.value}, {len(self._streams)} streams>"

    @property
    def open_streams(self) -> int:
        return len(self._streams)

    def next_stream(self) -> int:
        """The stream id to use for the next `Request`."""
        return self._last_stream + 1

    def window(self, stream: int) -> int:
        """How many bytes of body may be sent on `stream` now; 0 if the stream is over."""
        state = self._streams.get(stream)
        return state.send_window if state is not None else 0

    def is_open(self, stream: int) -> bool:
        return stream in self._streams

    # Sending

    def send(self, message: Message) -> list[bytes]:
        """The bytes of `message`, as buffers to be written in this order.

        The list is empty for a stream that is over, because the peer would ignore the message. Raises `LocalWireError`
        if the message is not allowed now; nothing changes then.
        """
        if self._poison is not None:
            raise LocalWireError(f"the connection is over: {self._poison.reason}")
        kind = type(message)
        phase = self._send_transitions[self.phase].get(kind)
        if phase is None:
            if kind not in (HOST_SAYS if self._role is Role.HOST else WORKER_SAYS):
                raise LocalWireError(f"a {self._role.value} does not say {kind.__name__}")
            raise LocalWireError(f"{kind.__name__} may not be sent when the connection is {self.phase.value}")
        if phase is Phase.ENDED:
            self._check_nothing_open(ours=True)
        stream = getattr(message, "stream", None)
        if stream is None:
            if kind in CALL_MESSAGES:
                return self._send_of_calls(message, phase)
        elif kind is not Request and stream not in self._streams:
            return []
        buffers = encode(message)
        if stream is not None:
            self._apply(message, stream, ours=True)
        self.phase = phase
        return buffers

    def _send_of_calls(self, message: Message, phase: Phase) -> list[bytes]:
        if not self.calls.is_of_interest(message, ours=True):  # type: ignore[arg-type]
            return []
        buffers = encode(message)
        self._apply_to_calls(message, ours=True)
        self.phase = phase
        return buffers

    # Receiving

    def close(self) -> None:
        """No more bytes will be received."""
        self._reader.close()

    def get_buffer(self) -> memoryview:
        """Where to write received bytes before `received` is called with their number."""
        return self._reader.get_buffer()

    def received(self, size: int) -> list[Message]:
        """Take `size` bytes that were written to `get_buffer`; return the messages that are now complete, without
        those for streams or calls that are over.

        Raises `RemoteWireError` if the peer breaks a rule, and again at every later call.
        """
        return self._receive(self._reader.received, size)

    def receive(self, data: bytes) -> list[Message]:
        """As `received`, for bytes that are elsewhere."""
        return self._receive(self._reader.feed, data)

    def _receive(self, read: Callable[[T], list[Message]], source: T) -> list[Message]:
        if self._poison is not None:
            raise self._poison
        try:
            return [message for message in read(source) if self._accept(message)]
        except RemoteWireError as error:
            self._poison = error
            raise

    def _accept(self, message: Message) -> bool:
        kind = type(message)
        phase = self._receive_transitions[self.phase].get(kind)
        if phase is None:
            if kind not in (WORKER_SAYS if self._role is Role.HOST else HOST_SAYS):
                raise RemoteWireError(f"the peer of a {self._role.value} does not say {kind.__name__}")
            raise RemoteWireError(f"{kind.__name__} came when the connection was {self.phase.value}")
        if phase is Phase.ENDED:
            self._check_nothing_open(ours=False)
        self.phase = phase
        stream = getattr(message, "stream", None)
        if stream is None:
            return kind not in CALL_MESSAGES or self._accept_of_calls(message)
        if kind is not Request and stream not in self._streams:
            if 0 < stream <= self._last_stream:
                return False
            raise RemoteWireError(f"{kind.__name__} came for stream {stream}, which never was")
        return self._apply(message, stream, ours=False)

    def _accept_of_calls(self, message: Message) -> bool:
        if not self.calls.is_of_interest(message, ours=False):  # type: ignore[arg-type]
            return False
        self._apply_to_calls(message, ours=False)
        return True

    # The rules, the same for both directions. `ours`: this side sends the message; otherwise it has received it.

    def _check_nothing_open(self, *, ours: bool) -> None:
        if self._streams or self.calls:
            open_ones = f"{len(self._streams)} streams and {len(self.calls)} calls"
            refuse(f"the connection cannot end while {open_ones} are open", ours)

    def _apply_to_calls(self, message: Message, *, ours: bool) -> None:
        if type(message) is Call and message.within and message.within not in self._streams:
            refuse(f"a call came within stream {message.within}, which is not open", ours)
        self.calls.apply(message, ours)  # type: ignore[arg-type]

    def _apply(self, message: Message, stream: int, *, ours: bool) -> bool:
        """Change the stream's state by `message`. Returns False if the owner need not see the message: this side has
        cancelled the stream."""
        kind = type(message)
        if kind is Request:
            self._open(message, stream, ours)
            return True
        state = self._streams[stream]
        if kind is Credit:
            state.grant(message.size, ours)  # type: ignore[union-attr]
            return True
        if kind is Cancel:
            state.cancelled = True
            return True
        if kind is Data and ours == (self._role is Role.HOST):
            return self._continue_body(state, message, ours)
        return self._continue_answer(stream, state, message, ours)

    def _open(self, message: Message, stream: int, ours: bool) -> None:
        assert type(message) is Request
        if stream <= self._last_stream:
            refuse(f"stream {stream} was used before", ours)
        body = BODIES.get((Body.OPEN, (Data, message.end)))
        if body is None:
            refuse(f"a request cannot end with {message.end}", ours)
        state = Stream()
        state.body = body
        if message.body:
            state.take(len(message.body), ours)
        self._streams[stream] = state
        self._last_stream = stream

    def _continue_body(self, state: Stream, message: Message, ours: bool) -> bool:
        assert type(message) is Data
        following = BODIES.get((state.body, (Data, message.end)))
        if following is None:
            refuse(f"a request's data (end {message.end}) came when its body was {state.body.value}", ours)
        state.take(len(message.body), ours)
        state.body = following
        return True

    def _continue_answer(self, stream: int, state: Stream, message: Message, ours: bool) -> bool:
        kind = type(message)
        is_stored = kind is Stored
        has_body = kind is Response or kind is Data or is_stored
        end = message.end if has_body else None  # type: ignore[union-attr]
        table = CANCELLED_ANSWERS if state.cancelled else ANSWERS
        following = table.get((state.answer, (kind, end)))
        if following is None:
            refuse(f"{kind.__name__} (end {end}) came when the answer was {state.answer.value}", ours)
        if is_stored:
            self._take_stored(state, message, ours)
        elif has_body:
            state.take(len(message.body), ours)  # type: ignore[union-attr]
        state.answer = following
        if following is Answer.OVER:
            del self._streams[stream]
            return True
        # The host must free the memory of a stored piece even if it does not want it.
        return is_stored or not (state.cancelled and not ours)

    @staticmethod
    def _take_stored(state: Stream, message: Message, ours: bool) -> None:
        assert type(message) is Stored
        if message.size < LARGE:
            refuse(f"a piece of {message.size} bytes was stored, which is less than {LARGE}", ours)
        state.take(message.size, ours)
