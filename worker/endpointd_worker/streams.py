"""A request under way: its body coming in, its answer going out, its cancellation.

A stream belongs to the thread that runs it, or to a task of the loop (`tasks`). All its state is guarded by the link's
lock, on which the thread also waits: for the next piece of the body, or for credit to send more.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from endpointd_wire.connection import Connection
from endpointd_wire.flow import CREDIT_STEP
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.memory import LARGE, Ring
from endpointd_wire.messages import Closed, Credit, Data, End, Failed, Headers, Message, Request, Response, Stored
from endpointd_worker.native import RLock
from endpointd_worker.waits import Condition

FLUSH_SIZE = MAX_PIECE
"""Output is not held back for company beyond this."""

HEED = 3
"""Calls that the thread of a cancelled request may begin before it counts as one that does not heed it: what it has to
put in order may take some."""


class Cancelled(Exception):
    """The host wants no answer any more; the message says why."""


class GivenUp(BaseException):
    """The same, for who has taken `Cancelled` for a passing failure and goes on: `except Exception` does not."""


class StreamLink(Protocol):
    """What a stream needs of the link."""

    @property
    def lock(self) -> RLock: ...
    @property
    def connection(self) -> Connection: ...
    @property
    def memory(self) -> Ring | None: ...
    def condition(self) -> Condition: ...
    def offer(self, stream: "Stream", *, at_once: bool = False, is_whole: bool = False) -> None: ...
    def flush_locked(self) -> None: ...
    def send_locked(self, message: Message) -> None: ...


class Closable(Protocol):
    def close(self) -> None: ...


class Reader(Protocol):
    """The thread that runs a stream, where threads take turns in reading the wire (`pool`)."""

    @property
    def is_current(self) -> bool:
        """Whether it is the one that asks, and not another thread of the plugin's."""
        ...

    @property
    def is_leader(self) -> bool:
        """Whether nobody else reads the wire."""
        ...

    def read(self, timeout: float | None) -> None:
        """Wait until something has come, at most `timeout` seconds, and take it. For the leader that waits for it,
        without the lock."""
        ...

    def roused(self) -> None:
        """What its stream has waited for has come. The lock is held."""
        ...


class Stream:
    def __init__(self, link: StreamLink, request: Request) -> None:
        self.id = request.stream
        self.request = request
        self.cancelled: str | None = None
        self.insist: Callable[[], None] | None = None
        """Has `GivenUp` raised in its thread where that waits next, as long as it runs this. Only greenlets can be
        told so."""
        self._unheeded = 0
        self.reader: Reader | None = None
        self._is_waited_for = False
        """Whether the reader waits for news of it, while others read."""
        self.has_company = False
        """Whether its thread goes on with another stream at once, so that the end of this answer may wait for the next
        one."""
        self._link = link
        self._waiter: Condition | None = None
        self._pieces: deque[bytes] = deque()
        if request.body:
            self._pieces.append(request.body)
        self._complete = request.end == End.BODY
        self._consumed = 0
        self._head: tuple[int, Headers] | None = None
        self._head_sent = False
        self._parts: list[bytes] = []
        self._size = 0
        self._end = End.MORE
        self._last: Closed | Failed | None = None
        self.calls: list[Closable] = []
        """What its thread asks of the host."""

    def move(self, link: StreamLink, waiter: Condition) -> None:
        """Let its output go through `link`, and let `waiter` be told of its news, from now on. The lock is held, and
        nobody waits."""
        self.reader = None
        self.has_company = False
        self._link = link
        self._waiter = waiter

    # The body of the request

    @property
    def body_is_whole(self) -> bool:
        """Whether the request brought all of its body, so that there is nothing to wait for."""
        # Not `_complete`: the rest may have come by now, in messages of its own.
        return self.request.end == End.BODY

    def read_piece(self) -> bytes:
        """The next piece of the body, b"" at its end. Raises `Cancelled`."""
        with self._link.lock:
            while (piece := self.take_piece()) is None:
                self.wait()
            return piece

    def take_piece(self) -> bytes | None:
        """The same without waiting: None when nothing has come. The lock is held."""
        if not self._pieces:
            self.check()
            return b"" if self._complete else None
        piece = self._pieces.popleft()
        self._consumed += len(piece)
        if self._consumed >= CREDIT_STEP and not self._complete:
            self._link.send_locked(Credit(self.id, self._consumed))
            self._consumed = 0
        return piece

    @property
    def has_news(self) -> bool:
        """Whether the next `read_piece` returns, or raises, at once."""
        return bool(self._pieces) or self.body_has_ended

    @property
    def body_has_ended(self) -> bool:
        """Whether nothing of it is still to come."""
        return self._complete or self.cancelled is not None

    def deliver(self, data: Data) -> None:
        """A piece has come. The lock is held."""
        if data.body:
            self._pieces.append(data.body)
        self._complete = data.end == End.BODY
        self.wake()

    # Cancellation

    def cancel(self, reason: str) -> None:
        """The host has cancelled. The lock is held."""
        self.cancelled = reason
        self.wake()

    def leave(self, reason: str) -> None:
        """The thread finds itself in a process that has nothing to do with the host."""
        self.cancelled = reason
        self._waiter = None

    def check(self) -> None:
        if self.cancelled is not None:
            raise Cancelled(self.cancelled)

    def begin_call(self) -> None:
        """Its thread is about to ask something of the host. When it does so again and again although it is cancelled,
        it is made to end: a loop that catches everything would hold its place for ever."""
        if self.cancelled is None:
            return
        self._unheeded += 1
        if self._unheeded > HEED and self.insist is not None:
            self.insist()

    def wake(self) -> None:
        if self._waiter is not None:
            self._waiter.notify_all()
            if self._is_waited_for and self.reader is not None:
                self.reader.roused()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until something has changed, perhaps; the caller looks again. The lock is held."""
        self._link.flush_locked()
        reader = self.reader if self.reader is not None and self.reader.is_current else None
        if reader is not None and reader.is_leader:
            self._link.lock.release()
            try:
                # What can be waited for comes over the wire.
                reader.read(timeout)
            finally:
                self._link.lock.acquire()
            return
        if self._waiter is None:
            self._waiter = self._link.condition()
        if reader is None:
            self._waiter.wait(timeout)
            return
        self._is_waited_for = True
        try:
            self._waiter.wait(timeout)
        finally:
            self._is_waited_for = False

    # The answer

    def start_answer(self, status: int, headers: Headers) -> None:
        """Send the head."""
        with self._link.lock:
            self._head = (status, headers)
            self._link.offer(self)

    def write(self, chunk: bytes) -> None:
        """Send a piece of the body, of any size. Blocks while the host grants no credit. Raises `Cancelled`."""
        for piece in cut(chunk):
            with self._link.lock:
                while not self.put_piece(piece):
                    self.wait()

    def try_piece(self, piece: bytes) -> bool:
        """As `put_piece`, without the lock."""
        with self._link.lock:
            return self.put_piece(piece)

    def put_piece(self, piece: bytes) -> bool:
        """Send at most `MAX_PIECE` bytes of the body; False, and nothing has happened, when the host grants no credit
        for them. The lock is held. Raises `Cancelled`."""
        self.check()
        if self._size + len(piece) > MAX_PIECE:
            self._link.flush_locked()
        if self._link.connection.window(self.id) - self._size < len(piece):
            return False
        self._parts.append(piece)
        self._size += len(piece)
        self._link.offer(self, at_once=self._size >= FLUSH_SIZE)
        return True

    def end_body(self) -> None:
        with self._link.lock:
            self._end = End.BODY
            self._link.offer(self)

    @property
    def is_finished(self) -> bool:
        """Whether nothing will be added to the output that has not left."""
        return self._last is not None

    def close(self) -> None:
        """The thread is done with this stream."""
        self._finish(Closed(self.id))

    def take_back(self) -> bool:
        """Whether nothing of the answer was sent: it is forgotten then, and another can be given."""
        with self._link.lock:
            if self._head_sent:
                return False
            self._head = None
            self._parts.clear()
            self._size = 0
            self._end = End.MORE
            return True

    def fail(self, code: str, detail: str) -> None:
        """There is no (complete) answer; what was not sent of it is forgotten."""
        self.take_back()
        self._finish(Failed(self.id, code, detail))

    def _finish(self, last: Closed | Failed) -> None:
        with self._link.lock:
            self._last = last
            self._link.offer(self, at_once=not self.has_company, is_whole=True)
            # A thread of the plugin's own may read on.
            self.cancel("the request was answered")
            # It may hold this stream in its turn; so both are freed now, and with them the body.
            self._waiter = None
            for call in [*self.calls]:
                call.close()

    def take_output(self) -> Iterator[Message]:
        """Everything that waits to be sent, in as few messages as possible. The lock is held."""
        end, last = self._end, self._last
        if end is End.BODY and type(last) is Closed:
            end, last = End.STREAM, None
        if self._head is not None:
            yield Response(self.id, *self._head, end, self._take_parts())
            self._head, self._head_sent = None, True
        elif self._parts or self._end is not End.MORE:
            yield self._take_body(end)
        self._end = End.MORE
        self._last = None
        if last is not None:
            yield last

    def _take_body(self, end: End) -> Stored | Data:
        memory, size = self._link.memory, self._size
        position = memory.put(self._parts, size) if memory is not None and size >= LARGE else None
        if position is None:
            return Data(self.id, end, self._take_parts())
        self._parts.clear()
        self._size = 0
        return Stored(self.id, end, position, size)

    def _take_parts(self) -> bytes:
        parts = self._parts
        whole = parts[0] if len(parts) == 1 else b"".join(parts)
        parts.clear()
        self._size = 0
        return whole


def cut(chunk: bytes) -> Iterable[bytes]:
    """`chunk` in pieces that can be sent."""
    if len(chunk) <= MAX_PIECE:
        return (chunk,)
    view = memoryview(chunk)
    return (bytes(view[start : start + MAX_PIECE]) for start in range(0, len(chunk), MAX_PIECE))
