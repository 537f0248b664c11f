"""The log in files of a bounded size and number, for who has nothing that keeps stderr."""

import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path
from time import monotonic

from endpointd.errors import OperatorError

RETRY = 60.0
"""Seconds after which a full file that could not be renamed is tried again."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """`kept` older files of at most `size` bytes each stay beside the one that is written: file.1 is the newest."""

    file: Path
    size: int
    kept: int

    def can_turn(self) -> bool:
        """Whether the file, which is there, can be renamed as far as its folder's permissions say. What is no file
        (`/dev/stderr`, say) never has to be."""
        return not self.file.is_file() or os.access(self.file.parent, os.W_OK | os.X_OK)


def open_files(rotation: Rotation) -> "Files":
    """Raises `OperatorError`."""
    try:
        return Files(rotation)
    except OSError as error:
        raise OperatorError(
            "log_file_unusable",
            f"the log cannot be written to {rotation.file}: {error.strerror or error}",
            "name a file in a folder that the daemon may write to, or set no log_file",
        ) from error


class Files:
    """What passes for a stream. A disk that is full loses lines and nothing else."""

    def __init__(self, rotation: Rotation) -> None:
        self._handler = _Handler(
            rotation.file,
            maxBytes=rotation.size,
            backupCount=rotation.kept,
            encoding="utf-8",
            errors="backslashreplace",
        )

    def write(self, text: str) -> int:
        # The newline is the handler's own.
        self._handler.handle(logging.makeLogRecord({"msg": text.removesuffix("\n")}))
        return len(text)

    def reopen(self) -> None:
        """Write from now on to the file that has the name: the one before may have been moved away, or removed."""
        self._handler.reopen()

    def close(self) -> None:
        with suppress(OSError):
            self._handler.close()

    def flush(self) -> None:
        """Each line is written at once."""


class _Handler(RotatingFileHandler):
    _has_failed = False
    """Whether the last line could not be written."""
    _is_stuck = False
    """Whether the file could not be renamed when it was full."""
    _tries_again_at = 0.0

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - logging's names, here and below
        return monotonic() >= self._tries_again_at and bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802
        """A file that cannot be renamed is written on, beyond its size: the log is worth more than its bound."""
        try:
            super().doRollover()
        except OSError as error:
            self._tries_again_at = monotonic() + RETRY
            # It was closed for being renamed.
            self.stream = self._open()
            if not self._is_stuck:
                self._is_stuck = True
                self._tell(f"{self.baseFilename} is full, cannot be renamed and grows on: {error}")
        else:
            self._is_stuck = False

    def reopen(self) -> None:
        try:
            new = self._open()
        except OSError as error:
            self._tell(f"{self.baseFilename} cannot be opened anew: {error}")
            return
        self.acquire()
        old, self.stream = self.stream, new
        self.release()
        if old is not None:
            with suppress(OSError):
                old.close()

    def flush(self) -> None:
        """A line has been written, unless this fails."""
        super().flush()
        self._has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002
        if not self._has_failed:
            self._has_failed = True
            self._tell(f"the log cannot be written to {self.baseFilename}: {sys.exc_info()[1]}")

    def _tell(self, what: str) -> None:
        """Once, on stderr: who keeps that should know."""
        with suppress(OSError):
            sys.stderr.write(f"endpointd: {what}\n")
