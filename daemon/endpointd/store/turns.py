"""Who writes to a file next: whoever has waited longest. SQLite itself lets those who wait try their luck."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TurnTooLate(Exception):
    """Others have taken too long."""


class Turns:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_taken = False
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def one(self, patience: float) -> Iterator[None]:
        """Raises `TurnTooLate`: no turn came within `patience` seconds."""
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
            # It may have come just now.
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
    """Those of all in this process who write to the file."""
    with _lock:
        return _of_files.setdefault(file, Turns())
