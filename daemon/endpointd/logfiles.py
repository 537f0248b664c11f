"""The log in files of a bounded size and number, for who has nothing that keeps stderr."""

import logging
import sys
from contextlib import suppress
from dataclasses import dataclass
from logging.handlers import RotatingFileHandler
from pathlib import Path

from endpointd.errors import OperatorError


@dataclass(frozen=True, slots=True)
class Rotation:
    """`kept` older files of at most `size` bytes each stay beside the one that is written: file.1 is the newest."""

    file: Path
    size: int
    kept: int


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

    def close(self) -> None:
        with suppress(OSError):
            self._handler.close()

    def flush(self) -> None:
        """Each line is written at once."""


class _Handler(RotatingFileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802, ARG002 - logging's name and signature
        """Once, on stderr: who keeps that should know."""
        if not self._has_failed:
            self._has_failed = True
            error = sys.exc_info()[1]
            sys.stderr.write(f"endpointd: the log cannot be written to {self.baseFilename}: {error}\n")

    _has_failed = False
