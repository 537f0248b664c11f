"""stderr, as the log's way out: a reader that stands still, or that has gone, harms nobody who writes."""

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
"""Bytes that are kept for a reader that stands still. What is logged beyond them is lost, and counted."""

PATIENCE = 1.0
"""Seconds after which a reader that takes nothing stands still, and those that such a reader still has when the process
ends."""


class PatientStream:
    """Writes no more than the reader has room for: a pipe, a socket or a terminal that is full would stop the whole
    process. What has to wait is written by a thread.

    `tell` is called with the number of lines that were lost, when the reader has taken all that came before them.
    """

    def __init__(self, stream: TextIO, tell: Callable[[int], None]) -> None:
        self._fd = stream.fileno()
        self._encoding = stream.encoding
        self._tell = tell
        # Reentrant: the garbage collector may run what logs wherever it is held.
        self._lock = RLock()
        self._held: list[str] | None = None
        """What was written within `together`."""
        self._kept = bytearray()
        """What has not left."""
        self._is_leaving = False
        """Whether somebody is about to write what is kept, and will write what is added to it."""
        self._lost = 0
        self._taken_at = 0.0
        """When the reader has last taken something, in `monotonic` seconds."""
        self._room = self._poll()
        self._is_behind = Event()
        """Set while the reader is waited for."""
        self._has_caught_up = Event()
        """Set unless something waits for the reader, or is still to be told to it."""
        self._has_caught_up.set()
        # Not only when it is needed: to start one means to wait for it, with locks that it may need.
        Thread(target=self._follow, name="log", daemon=True).start()
        atexit.register(self.close)

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

    def is_behind(self) -> bool:
        """Whether the reader goes on, and has so much to take that whoever can wait should."""
        is_much = self._lost or len(self._kept) > LIMIT // 2
        return bool(is_much) and monotonic() - self._taken_at < PATIENCE

    def close(self) -> None:
        """Give the reader a last chance."""
        self._has_caught_up.wait(PATIENCE)

    # With the lock

    def _add(self, text: str) -> None:
        data = text.encode(self._encoding, "backslashreplace")
        # Once a line is lost, so are all until the reader has caught up: there is one gap.
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
            self._taken_at = monotonic()

    def _send_nowhere(self) -> None:
        """The other end will not come back. What Python still holds for it would fail the exit if it had no place to
        go."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self._fd)
        if nowhere != self._fd:
            os.close(nowhere)

    # In a thread of its own

    def _follow(self) -> None:
        """Write what is kept whenever the reader goes on."""
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
            # Not with the lock: others have those of their loggers already when they wait for it.
            if lost:
                self._tell(lost)
            with self._lock:
                if not self._is_behind.is_set():
                    self._has_caught_up.set()
