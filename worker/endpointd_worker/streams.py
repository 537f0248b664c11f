"""A request in progress: its incoming body, its outgoing answer, its cancellation.

A stream is run by one thread, or by a task of the event loop (`tasks`). All its state is guarded by the link's lock, on
which the thread also waits: for the next piece of the body, or for credit to send more.
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
"""Bytes of a stream's output after which it is sent at once, and no longer held back to be sent together with more."""

HEED = 3
"""How many calls the thread of a cancelled request may still begin, to clean up, before it is made to end."""


class Cancelled(Exception):
    """The host no longer wants this answer; the text says why."""


class GivenUp(BaseException):
    """The same, for a plugin that has caught `Cancelled` and goes on: `except Exception` does not catch this."""


class StreamLink(Protocol):
    """The part of `Link` that a stream uses."""

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
    """The pool's thread that runs a stream, and that may also be the one that reads the wire (`pool.Member`)."""

    @property
    def is_current(self) -> bool:
        """Whether the calling thread is this one, and not another thread of the plugin's."""
        ...

    @property
    def is_leader(self) -> bool:
        """Whether this thread is responsible for reading the wire."""
        ...

    def read(self, timeout: float | None) -> None:
        """Read the wire once, waiting at most `timeout` seconds, and process what has come. To be called by the leader
        itself, without the lock."""
        ...

    def roused(self) -> None:
        """Called when something has come that its stream waits for. The lock is held."""
        ...


class Stream:
    """One request and its answer. The public methods are for the thread that runs it and take the lock themselves,
    unless they say that the lock is held."""

    def __init__(self, link: StreamLink, request: Request) -> None:
        self.id = request.stream
        self.request = request
        self.cancelled: str | None = None
        """Why the answer is not wanted any more; None as long as it is. Set at the end of every stream."""
        self.insist: Callable[[], None] | None = None
        """Raises `GivenUp` in the greenlet that runs this stream, where it waits next. None for threads, in which
        nothing can be raised from outside."""
        self._unheeded = 0
        self.reader: Reader | None = None
        self._is_waited_for = False
        """Whether the reader waits for this stream while another thread reads the wire."""
        self.may_defer_end = False
        """Whether the thread runs another stream right after this one, so that the end of this answer may be sent
        together with the next answer."""
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
        """The open session calls of its thread."""

    def move(self, link: StreamLink, waiter: Condition) -> None:
        """From now on, send output through `link` and notify `waiter`. The lock is held, and no thread waits for this
        stream."""
        self.reader = None
        self.may_defer_end = False
        self._link = link
        self._waiter = waiter

    # The body of the request

    @property
    def body_is_whole(self) -> bool:
        """Whether the `Request` message contained the whole body."""
        # Not `_complete`, which is also true when the rest has come in `Data` messages meanwhile.
        return self.request.end == End.BODY

    def read_piece(self) -> bytes:
        """The next piece of the body, b"" at its end. Raises `Cancelled`."""
        with self._link.lock:
            while (piece := self.take_piece()) is None:
                self.wait()
            return piece

    def take_piece(self) -> bytes | None:
        """As `read_piece`, without waiting: None if nothing has come. The lock is held."""
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
        """Whether the next `read_piece` will return or raise at once."""
        return bool(self._pieces) or self.body_has_ended

    @property
    def body_has_ended(self) -> bool:
        """Whether no further piece will come: the body is complete, or the stream is cancelled."""
        return self._complete or self.cancelled is not None

    def deliver(self, data: Data) -> None:
        """Take a piece that has come over the wire. The lock is held."""
        if data.body:
            self._pieces.append(data.body)
        self._complete = data.end == End.BODY
        self.wake()

    # Cancellation

    def cancel(self, reason: str) -> None:
        """Let everything that waits for this stream raise `Cancelled`. The lock is held."""
        self.cancelled = reason
        self.wake()

    def detach(self, reason: str) -> None:
        """Cancel the stream in a forked child of the worker, where no other thread waits for it."""
        self.cancelled = reason
        self._waiter = None

    def check(self) -> None:
        """Raise `Cancelled` if the stream is cancelled."""
        if self.cancelled is not None:
            raise Cancelled(self.cancelled)

    def begin_call(self) -> None:
        """Called when its thread begins a session call. If it has begun more than `HEED` since it was cancelled, it is
        made to end: a loop that catches every exception would hold its place for ever."""
        if self.cancelled is None:
            return
        self._unheeded += 1
        if self._unheeded > HEED and self.insist is not None:
            self.insist()

    def wake(self) -> None:
        """Let waiting threads look again. The lock is held."""
        if self._waiter is not None:
            self._waiter.notify_all()
            if self._is_waited_for and self.reader is not None:
                self.reader.roused()

    def wait(self, timeout: float | None = None) -> None:
        """Wait until something may have changed, at most `timeout` seconds; the caller checks again. The lock is held,
        and released meanwhile. If the calling thread is the leader, it reads the wire instead of sleeping."""
        self._link.flush_locked()
        reader = self.reader if self.reader is not None and self.reader.is_current else None
        if reader is not None and reader.is_leader:
            self._link.lock.release()
            try:
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
        """Send `chunk`, of any size, as the next part of the body. Blocks until the host has granted enough credit.
        Raises `Cancelled`."""
        for piece in cut(chunk):
            with self._link.lock:
                while not self.put_piece(piece):
                    self.wait()

    def try_piece(self, piece: bytes) -> bool:
        """As `put_piece`, for a caller that does not hold the lock."""
        with self._link.lock:
            return self.put_piece(piece)

    def put_piece(self, piece: bytes) -> bool:
        """Send at most `MAX_PIECE` bytes of the body. Returns False, without doing anything, if the credit does not
        suffice. The lock is held. Raises `Cancelled`."""
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
        """Whether the stream has ended and its last output was not sent yet."""
        return self._last is not None

    def close(self) -> None:
        """End the stream. The thread is free again."""
        self._finish(Closed(self.id))

    def take_back(self) -> bool:
        """Discard the answer so far, so that another one can be given. Returns False, without doing anything, if its
        head was already sent."""
        with self._link.lock:
            if self._head_sent:
                return False
            self._head = None
            self._parts.clear()
            self._size = 0
            self._end = End.MORE
            return True

    def fail(self, code: str, detail: str) -> None:
        """End the stream without a complete answer; discard what can still be taken back."""
        self.take_back()
        self._finish(Failed(self.id, code, detail))

    def _finish(self, last: Closed | Failed) -> None:
        with self._link.lock:
            self._last = last
            self._link.offer(self, at_once=not self.may_defer_end, is_whole=True)
            # Another thread of the plugin may still be reading the body.
            self.cancel("the request was answered")
            # The waiter may refer to this stream: break the cycle, so that both, and the body, are freed now.
            self._waiter = None
            for call in [*self.calls]:
                call.close()

    def take_output(self) -> Iterator[Message]:
        """Everything that was not sent yet, in as few messages as possible. The lock is held."""
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
    """`chunk` in pieces of at most `MAX_PIECE` bytes."""
    if len(chunk) <= MAX_PIECE:
        return (chunk,)
    view = memoryview(chunk)
    return (bytes(view[start : start + MAX_PIECE]) for start in range(0, len(chunk), MAX_PIECE))
