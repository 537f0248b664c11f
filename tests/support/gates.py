"""Named pipes between a test and the plugin that it tests: the one waits for the other, and nobody sleeps."""

import os
import select
from pathlib import Path
from types import TracebackType
from typing import Self

WAIT_SECONDS = 10.0


class Gate:
    """A FIFO. A plugin waits at it by reading a byte, and tells of something by writing one.

    The test holds it open for both, so that neither side blocks in opening it; when the test closes it, whoever
    reads goes on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)

    def open(self, times: int = 1) -> None:
        """Let `times` readers pass."""
        os.write(self._fd, b"." * times)

    def wait(self, timeout: float = WAIT_SECONDS) -> bytes:
        """The byte that the plugin writes. AssertionError: it wrote none within `timeout` seconds."""
        if not select.select([self._fd], [], [], timeout)[0]:
            raise AssertionError(f"nobody wrote to {self.path.name} within {timeout:g} s")
        return os.read(self._fd, 1)

    def is_silent(self) -> bool:
        """Whether nothing was written that was not waited for."""
        return not select.select([self._fd], [], [], 0)[0]
