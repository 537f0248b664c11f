"""Session calls: what plugins ask of the host. Any thread may make one; it blocks only that thread.

A call made by the thread of a request belongs to the request: it is cancelled with it, and abandoned when it ends.
Calls from threads that the plugin has started belong to no request. All state is guarded by the link's lock.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from time import monotonic
from typing import Any, Protocol, TypeVar

from endpointd_wire.calls import cost
from endpointd_wire.connection import Connection
from endpointd_wire.flow import CREDIT_STEP
from endpointd_wire.frames import MAX_PIECE, pack_value, unpack_value
from endpointd_wire.messages import (
    Abandon,
    Answered,
    Argument,
    Call,
    CallCredit,
    CallMessage,
    End,
    Log,
    Message,
    Refused,
    Reply,
)
from endpointd_worker.native import RLock
from endpointd_worker.places import PATIENCE, Places
from endpointd_worker.streams import Stream
from endpointd_worker.waits import Condition, OtherThread, WaitingThread

T = TypeVar("T")


class CallRefused(Exception):
    """The host, or the worker, refuses a call. `code` is the kind of reason; the text is for the plugin's author."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class CallLink(Protocol):
    """The part of `Link` that calls use."""

    lock: RLock
    connection: Connection

    @property
    def is_over(self) -> bool: ...
    def condition(self) -> Condition: ...
    def send_locked(self, message: Message) -> None: ...
    def log(self, record: Log) -> None: ...


class _Here(threading.local):
    """What is known about the current thread."""

    stream: Stream | None = None
    """The request that this thread runs."""
    is_loop = False
    """Whether this thread runs the event loop of the plugin's tasks, which no call may block."""


here = _Here()

task_stream: ContextVar[Stream | None] = ContextVar("endpointd_stream", default=None)
"""The request that the current task of the event loop answers. `asyncio.to_thread` copies the context, so it is also
known in a thread that works for the task."""

ON_THE_LOOP = (
    "a session call in an async function would stop every request of the plugin until it is answered; have a thread"
    " make it, for example: await asyncio.to_thread(self.session.storage.get, key)"
)


class OpenCall:
    """One call, from its first message to its last. `waiter` is how the calling thread waits for the reply."""

    def __init__(self, desk: "CallDesk", waiter: WaitingThread) -> None:
        self.id = 0
        self._desk = desk
        self._waiter = waiter
        self._news: deque[Reply | Answered | Refused] = deque()
        self._consumed = 0
        self.is_over = False
        """Whether the call has ended: the reply is complete, or not wanted any more."""

    # Called by the thread that makes the call

    def begin(self, kind: str, arguments: bytes, body: bytes, request: Stream | None) -> None:
        """Send the call and all its data. `request` is the request that it is counted for."""
        link, desk = self._desk.link, self._desk
        pieces = _pieces(arguments, body)
        piece, end = next(pieces)
        with link.lock:
            self._wait_for_place(kind, request)
            within = desk.within()
            self.id = link.connection.calls.next()
            desk.enter(self, kind, request)
            link.send_locked(Call(self.id, within, kind, len(arguments), end, piece))
        for piece, end in pieces:
            self._send_piece(piece, end)

    def _wait_for_place(self, kind: str, request: Stream | None) -> None:
        """Wait until the call may be opened. The lock is held. Raises `CallRefused` after the patience of `places`, and
        what the waiter raises."""
        desk, calls = self._desk, self._desk.link.connection.calls
        patience = desk.places.patience(kind, request.id if request else None)
        desk.queue.append(self._waiter)
        try:
            has_place = self._holds_within(patience, lambda: desk.places.is_free(kind, len(calls)))
        finally:
            desk.queue.remove(self._waiter)
        if not has_place:
            text = desk.places.refusal(kind, len(calls), patience)
            # Logged here because the daemon has not heard of the call.
            desk.link.log(Log(logging.WARNING, "endpointd", text, request.request.request_id if request else ""))
            raise CallRefused("busy", text)

    def _send_piece(self, piece: bytes, end: End) -> None:
        with self._desk.link.lock:
            calls = self._desk.link.connection.calls
            self._wait_until(lambda: self.is_over or calls.window(self.id) >= len(piece))
            self._desk.link.send_locked(Argument(self.id, end, piece))

    def next_item(self) -> bytes | None:
        """The next item of the reply (msgpack), None after the last. Raises `CallRefused`."""
        parts: list[bytes] = []
        while True:
            with self._desk.link.lock:
                self._wait_until(lambda: bool(self._news))
                news = self._news.popleft()
                if isinstance(news, Answered):
                    return None
                if isinstance(news, Refused):
                    raise CallRefused(news.code, news.text)
                self._credit(news)
            parts.append(news.body)
            if news.end == End.BODY:
                return parts[0] if len(parts) == 1 else b"".join(parts)

    def _credit(self, piece: Reply) -> None:
        self._consumed += cost(piece.body)
        if self._consumed >= CREDIT_STEP and not self.is_over:
            self._desk.link.send_locked(CallCredit(self.id, self._consumed))
            self._consumed = 0

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until `condition` is true, at most `PATIENCE` seconds. The lock is held. Raises `CallRefused`, and what
        the waiter raises."""
        if not self._holds_within(PATIENCE, condition):
            raise CallRefused("timeout", f"the daemon has not answered this call for {PATIENCE:g} s")

    def _holds_within(self, seconds: float, condition: Callable[[], bool]) -> bool:
        """Wait until `condition` is true; returns False if it is not within so many seconds. The lock is held. Raises
        `CallRefused` if the worker ends, and what the waiter raises."""
        latest = monotonic() + seconds
        while True:
            self._waiter.check()
            if self._desk.link.is_over:
                raise CallRefused("stopping", "this worker ends, and nobody answers its calls any more")
            if condition():
                return True
            left = latest - monotonic()
            if left <= 0:
                return False
            self._waiter.wait(left)

    def close(self) -> None:
        """Abandon the call, if it is still open: the rest of the reply is not wanted."""
        with self._desk.link.lock:
            if not self.is_over and self.id:
                self._end()
                self._desk.link.send_locked(Abandon(self.id))

    # Called by the thread that reads the wire, with the lock held

    def deliver(self, message: Reply | Answered | Refused) -> None:
        """Pass a message of the host to the calling thread."""
        self._news.append(message)
        if not isinstance(message, Reply):
            self._end()
        self.wake()

    def wake(self) -> None:
        """Let the calling thread look again."""
        if self._waiter.wake() is False:
            # That thread has ended, so nobody else would close the call; the host would go on with it for ever.
            self.close()

    def _end(self) -> None:
        self.is_over = True
        self._desk.forget(self)


class CallDesk:
    """All open calls of a worker, and those that wait for a place."""

    def __init__(self, link: CallLink) -> None:
        self.link = link
        self.open: dict[int, OpenCall] = {}
        self.places = Places()
        self.queue: list[WaitingThread] = []
        """The threads that wait for a place."""

    def call(self, kind: str, arguments: Mapping[str, object], body: bytes = b"") -> Iterator[Any]:
        """Make a call; yields the items of the host's reply. `body` is raw data that goes with some kinds of calls.

        A generator: nothing is sent before the first item is asked for, and closing it ends the call. Raises
        `CallRefused`; `Cancelled` in the thread of a request that is cancelled; TypeError and ValueError for arguments
        that cannot be sent.
        """
        packed = pack_value(arguments)
        if here.is_loop:
            raise CallRefused("invalid", ON_THE_LOOP)
        stream = here.stream
        call = OpenCall(self, stream if stream is not None else OtherThread(self.link.condition()))
        if stream is not None:
            stream.begin_call()
            stream.calls.append(call)
        try:
            call.begin(kind, packed, body, stream or task_stream.get())
            while (item := call.next_item()) is not None:
                yield unpack_value(item)
        finally:
            call.close()
            if stream is not None:
                stream.calls.remove(call)

    def within(self) -> int:
        """The stream id for `Call.within`: of the request that a call from this thread belongs to, 0 if there is none.
        The lock is held. Raises `CallRefused` if a task's request is cancelled."""
        if here.stream is not None:
            return here.stream.id
        stream = task_stream.get()
        # What a task has started may go on after its request is answered; then it belongs to no request.
        if stream is None or not self.link.connection.is_open(stream.id):
            return 0
        if stream.cancelled is not None:
            raise CallRefused("cancelled", f"the request is over: {stream.cancelled}")
        return stream.id

    def take(self, message: CallMessage) -> None:
        """Process a message of the host. The lock is held."""
        call = self.open.get(message.call)
        if call is None:
            # A finalizer has closed the call after `Connection` had accepted the message.
            return
        if isinstance(message, Reply | Answered | Refused):
            call.deliver(message)
        else:
            call.wake()

    def enter(self, call: OpenCall, kind: str, request: Stream | None) -> None:
        """Count `call` as open. The lock is held."""
        self.open[call.id] = call
        self.places.take(call.id, kind, request.id if request else None)

    def forget(self, call: OpenCall) -> None:
        """`call` has ended: let those look again that wait for a place. The lock is held."""
        del self.open[call.id]
        self.places.leave(call.id)
        for waiter in self.queue:
            waiter.wake()

    def lose(self) -> None:
        """The wire is closed: let all waiting threads look again. The lock is held."""
        for call in list(self.open.values()):
            call.wake()
        for waiter in self.queue:
            waiter.wake()


def _pieces(arguments: bytes, body: bytes) -> Iterator[tuple[bytes, End]]:
    """A call's data, cut into pieces of at most `MAX_PIECE` bytes, each with its `End`. A large body is never copied as
    a whole."""
    rest = memoryview(body)
    if len(arguments) + len(rest) <= MAX_PIECE:
        yield arguments + body, End.BODY
        return
    ahead = memoryview(arguments)
    while len(ahead) > MAX_PIECE:
        yield bytes(ahead[:MAX_PIECE]), End.MORE
        ahead = ahead[MAX_PIECE:]
    room = MAX_PIECE - len(ahead)
    yield bytes(ahead) + rest[:room], End.MORE if len(rest) > room else End.BODY
    for start in range(room, len(rest), MAX_PIECE):
        yield bytes(rest[start : start + MAX_PIECE]), End.MORE if start + MAX_PIECE < len(rest) else End.BODY
