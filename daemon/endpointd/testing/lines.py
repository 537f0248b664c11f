"""A thread-safe list of lines: one thread adds lines while another waits for one of them."""

import threading


class Lines:
    """The adding thread calls `end` when there will be no more lines, so that nobody waits for them."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._ended = False
        self._changed = threading.Condition()

    def add(self, line: str) -> None:
        with self._changed:
            self._lines.append(line)
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def all(self) -> list[str]:
        """The lines so far."""
        with self._changed:
            return list(self._lines)

    def wait_for(self, substring: str, timeout: float) -> str:
        """The first line that contains `substring`; waits at most `timeout` seconds for it. Raises AssertionError if
        there is none."""
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._find(substring) is not None, timeout)
            line = self._find(substring)
        if line is None:
            text = "\n".join(self.all())
            raise AssertionError(f"no {substring!r} in the log within {timeout:g} s:\n{text}")
        return line

    def _find(self, substring: str) -> str | None:
        return next((line for line in self._lines if substring in line), None)
