"""stderr, as the log's way out: a reader that stands still, or that has gone, harms nobody who writes."""

import errno
import os
import select
from atexit import register
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock, Thread
from typing import TextIO

LIMIT = 1 << 20
"""Bytes that are kept for a reader that stands still. What is logged beyond them is lost, and counted."""

PATIENCE = 1.0
"""Seconds that such a reader still has when the process ends."""


class PatientStream:
    """Writes no more than the reader has room for: a pipe, a socket or a terminal that is full would stop the whole
    process. What has to wait is written by a thread, which lives as long as that takes.

    `tell` is called with the number of lines that were lost, when the reader has taken all that came before them.
    """

    def __init__(self, stream: TextIO, tell: Callable[[int], None]) -> None:
        self._fd = stream.fileno()
        self._tell = tell
        # Reentrant: the garbage collector may run what logs wherever it is held...
        self._lock = RLock()
        # ... and that only adds to what is just being written.
        self._is_writing = False
        self._held: list[str] | None = None
        """What was written within `together`."""
        self._kept = bytearray()
        """What has not left."""
        self._lost = 0
        self._waiter: Thread | None = None
        """Waits for the reader, and writes what is kept."""
        self._room = self._poll()
        register(self.close)

    def _poll(self) -> select.poll:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return poll

    @contextmanager
    def together(self) -> Iterator[None]:
        """Write at once, in the end, what is written meanwhile, so that whoever reads is woken once."""
        with self._lock:
            self._held = []
        try:
            yield
        finally:
            with self._lock:
                held, self._held = self._held, None
                if held:
                    self._add("".join(held))

    def write(self, text: str) -> int:
        """Take whole lines."""
        with self._lock:
            if self._held is not None:
                self._held.append(text)
            else:
                self._add(text)
        return len(text)

    def flush(self) -> None:
        """All leaves as soon as it can."""

    def close(self) -> None:
        """Give the reader a last chance."""
        waiter = self._waiter
        if waiter is not None:
            waiter.join(PATIENCE)

    # With the lock

    def _add(self, text: str) -> None:
        data = text.encode(errors="backslashreplace")
        # Once a line is lost, so are all until the reader has caught up: there is one gap, and it is told where it is.
        has_gap = self._lost and self._waiter is not None
        if has_gap or (self._kept and len(self._kept) + len(data) > LIMIT):
            self._lost += text.count("\n")
            return
        self._kept += data
        if self._waiter is None and not self._is_writing:
            self._is_writing = True
            try:
                self._advance()
                if self._kept:
                    self._wait_for_reader()
            finally:
                self._is_writing = False

    def _wait_for_reader(self) -> None:
        self._waiter = Thread(target=self._wait, name="log", daemon=True)
        try:
            self._waiter.start()
        except RuntimeError:
            # There is no room for a thread, or the interpreter is about to end. The next line tries again.
            self._waiter = None

    def _advance(self) -> None:
        """Write as long as there is room. A reader that has gone is none that has to be waited for."""
        while self._kept and self._room.poll(0):
            piece = self._kept[: select.PIPE_BUF]
            if len(self._kept) > len(piece):
                # Lines stay whole for those who write to the same place.
                del piece[piece.rfind(b"\n") + 1 or len(piece) :]
            try:
                written = os.write(self._fd, piece)
            except BlockingIOError:
                return
            except OSError as error:
                written = len(piece)
                if error.errno in (errno.EPIPE, errno.EBADF):
                    self._send_nowhere()
            del self._kept[:written]

    def _send_nowhere(self) -> None:
        """The other end will not come back. What Python still holds for it would fail the exit if it had no place to
        go."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._fd)
        if nowhere != self._fd:
            os.close(nowhere)

    # In a thread of its own

    def _wait(self) -> None:
        room = self._poll()
        while self._waiter is not None:
            room.poll()
            with self._lock:
                self._advance()
                if not self._kept:
                    self._waiter = None
                    lost, self._lost = self._lost, 0
                    if lost:
                        self._tell(lost)
