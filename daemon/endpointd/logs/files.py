"""Writes the log to files of limited size and number, for systems where nothing stores stderr."""

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
"""Seconds until the next attempt to rename a full file, after one that has failed."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """The log is written to `file`. `kept` older files, of at most `size` bytes each, are kept beside it; FILE.1 is the
    newest of them."""

    file: Path
    size: int
    kept: int

    def can_turn(self) -> bool:
        """Whether the permissions of the folder allow to rename the file. Also True if it is not a regular file (such
        as `/dev/stderr`), because that is never renamed."""
        return not self.file.is_file() or os.access(self.file.parent, os.W_OK | os.X_OK)


def open_files(rotation: Rotation) -> "Files":
    """Open the log's file. Raises `OperatorError`."""
    try:
        return Files(rotation)
    except OSError as error:
        raise OperatorError(
            "log_file_unusable",
            f"the log cannot be written to {rotation.file}: {error.strerror or error}",
            "name a file in a folder that the daemon may write to, or set no log_file",
        ) from error


class Files:
    """The files as a text stream for structlog. Never raises after it was opened: if the disk is full, lines are
    lost."""

    def __init__(self, rotation: Rotation) -> None:
        self._handler = _Handler(
            rotation.file,
            maxBytes=rotation.size,
            backupCount=rotation.kept,
            encoding="utf-8",
            errors="backslashreplace",
        )

    def write(self, text: str) -> int:
        # The handler adds the newline itself.
        self._handler.handle(logging.makeLogRecord({"msg": text.removesuffix("\n")}))
        return len(text)

    def reopen(self) -> None:
        """Open the file again, by its name: the present one may have been renamed or removed."""
        self._handler.reopen()

    def close(self) -> None:
        with suppress(OSError):
            self._handler.close()

    def flush(self) -> None:
        """Does nothing, because each line is written at once."""


class _Handler(RotatingFileHandler):
    _has_failed = False
    """Whether the last line could not be written."""
    _is_stuck = False
    """Whether the file could not be renamed when it was full."""
    _tries_again_at = 0.0

    def shouldRollover(self, record: logging.LogRecord) -> bool:  # noqa: N802 - logging's names, here and below
        return monotonic() >= self._tries_again_at and bool(super().shouldRollover(record))

    def doRollover(self) -> None:  # noqa: N802
        """Rename the full file and begin a new one. If that fails, go on with the old one beyond its size: it is better
        to exceed the limit than to lose the log."""
        try:
            super().doRollover()
        except OSError as error:
            self._tries_again_at = monotonic() + RETRY
            # The base class has closed it.
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
        """The base class calls this after each line. If it does not raise, the line was written."""
        super().flush()
        self._has_failed = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002
        if not self._has_failed:
            self._has_failed = True
            self._tell(f"the log cannot be written to {self.baseFilename}: {sys.exc_info()[1]}")

    def _tell(self, what: str) -> None:
        """Write a message about the log itself to stderr."""
        with suppress(OSError):
            sys.stderr.write(f"endpointd: {what}\n")
