"""A fair lock for the writers of an SQLite file: first come, first served. SQLite's own lock is not fair."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TurnTooLate(Exception):
    """The lock was not free in time."""


class Turns:
    """The lock of one file, for the threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def one(self, patience: float) -> Iterator[None]:
        """Hold the lock during the block. Raises `TurnTooLate` if it is not free within `patience` seconds."""
        self._take(patience)
        try:
            yield
        finally:
            self._pass_on()

    def _take(self, patience: float) -> None:
        with self._lock:
            if not self._is_taken:
                self._is_taken = True
                return
            mine = threading.Event()
            self._waiting.append(mine)
        if mine.wait(patience):
            return
        with self._lock:
            # The turn may have come just after the timeout.
            if not mine.is_set():
                self._waiting.remove(mine)
                raise TurnTooLate

    def _pass_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._is_taken = False


_of_files: dict[Path, Turns] = {}
_lock = threading.Lock()


def turns_of(file: Path) -> Turns:
    """The lock for this file, the same for all callers in this process."""
    with _lock:
        return _of_files.setdefault(file, Turns())
