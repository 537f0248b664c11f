"""Writes the log to stderr without ever blocking the process, even if the reader is slow, has stopped or is gone."""

import atexit
import errno
import os
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread
from time import monotonic
from typing import TextIO

LIMIT = 1 << 20
"""The most bytes that are buffered for a slow reader. Lines beyond that are lost, and counted."""

PATIENCE = 1.0
"""Seconds without progress after which a reader is regarded as stopped; and how long the process waits for such a
reader at its end."""


class PatientStream:
    """A text stream that writes only as much as there is room for: a write to a full pipe, socket or terminal would
    block the whole process. A thread writes the rest.

    `tell` is called with the number of lost lines, when the reader has read everything that was logged before them.
    """

    def __init__(self, stream: TextIO, tell: Callable[[int], None]) -> None:
        self._fd = stream.fileno()
        self._encoding = stream.encoding
        self._tell = tell
        # Reentrant, because the garbage collector may run code that logs while the lock is held.
        self._lock = RLock()
        self._held: list[str] | None = None
        """What was written within `together`; None outside."""
        self._kept = bytearray()
        """The data that was not written to the descriptor yet."""
        self._is_leaving = False
        """Whether a call of `_add`, or the thread, is writing `_kept`; it will also write what is added meanwhile."""
        self._lost = 0
        self._taken_at = 0.0
        """When something could last be written (`time.monotonic`)."""
        self._room = self._poll()
        self._is_behind = Event()
        """Set while the thread has to wait for the reader and write."""
        self._has_caught_up = Event()
        """Set unless something is still to be written, including the message about lost lines."""
        self._has_caught_up.set()
        # Started now and not when it is needed, because `Thread.start` waits for the new thread, which might need locks
        # that are held then.
        Thread(target=self._follow, name="log", daemon=True).start()
        atexit.register(self.close)

    def _poll(self) -> select.poll:
        poll = select.poll()
        poll.register(self._fd, select.POLLOUT)
        return poll

    @contextmanager
    def together(self) -> Iterator[None]:
        """Collect what is written within the block, and write it at the end in one piece, so that the reader is woken
        only once."""
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
        """Write `text`, which must consist of whole lines."""
        with self._lock:
            if self._held is not None:
                self._held.append(text)
            else:
                self._add(text)
        return len(text)

    def flush(self) -> None:
        """Does nothing, because everything is written as soon as possible."""

    def is_behind(self) -> bool:
        """Whether the reader makes progress but has much left to read, so that callers that can wait should."""
        is_much = self._lost or len(self._kept) > LIMIT // 2
        return bool(is_much) and monotonic() - self._taken_at < PATIENCE

    def close(self) -> None:
        """Wait until everything is written, at most `PATIENCE` seconds. Called at the exit of the process."""
        self._has_caught_up.wait(PATIENCE)

    # To be called with the lock held

    def _add(self, text: str) -> None:
        data = text.encode(self._encoding, "backslashreplace")
        # Once a line is lost, all following ones are too, until the reader has caught up: so there is only one gap.
        if self._lost or (self._kept and len(self._kept) + len(data) > LIMIT):
            self._lost += text.count("\n")
            return
        self._kept += data
        if self._is_leaving:
            return
        self._is_leaving = True
        try:
            self._advance()
        finally:
            self._is_leaving = bool(self._kept)
            if self._is_leaving:
                self._has_caught_up.clear()
                self._is_behind.set()

    def _advance(self) -> None:
        """Write as long as there is room. If the reader is gone, the data is discarded."""
        while self._kept and self._room.poll(0):
            piece = self._kept[: select.PIPE_BUF]
            if len(self._kept) > len(piece):
                # Cut after a whole line, so that lines of other writers do not get into the middle of ours.
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
            self._taken_at = monotonic()

    def _send_nowhere(self) -> None:
        """Redirect the descriptor to /dev/null, because the reader will not come back. Otherwise Python would fail at
        exit, when it flushes what it has buffered for stderr."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._fd)
        if nowhere != self._fd:
            os.close(nowhere)

    # In the thread

    def _follow(self) -> None:
        """The body of the thread: write `_kept` whenever there is room."""
        room = self._poll()
        while self._is_behind.wait():
            room.poll()
            with self._lock:
                self._advance()
                if self._kept:
                    continue
                self._is_leaving = False
                self._is_behind.clear()
                lost, self._lost = self._lost, 0
            # Without the lock, to avoid a deadlock: other threads hold their logger's lock when they wait for this one.
            if lost:
                self._tell(lost)
            with self._lock:
                if not self._is_behind.is_set():
                    self._has_caught_up.set()
