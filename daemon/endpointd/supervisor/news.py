"""Passes on the output and the events of a plugin's workers: to the log, to the journal, and to reports of failures."""

import logging
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

from endpointd.logs.journal import Journal
from endpointd.manifest.findings import finding_of
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.flood import FloodGate
from endpointd.supervisor.state import Event, Life
from endpointd_wire.messages import Log

LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)

LAST_LINES = 40
"""How many lines of output are kept for the report of a failure: enough for the traceback of nested imports."""


class Voice:
    """The output of one worker. `pid` returns the worker's pid if the plugin has several workers, else None. The
    `last_lines` become part of the report if the worker fails."""

    def __init__(self, news: "News", pid: Callable[[], int | None]) -> None:
        self._news = news
        self._pid = pid
        self._lines: deque[str] = deque(maxlen=LAST_LINES)

    def last_lines(self) -> tuple[str, ...]:
        return tuple(self._lines)

    def line(self, line: str) -> None:
        """A line of output."""
        self._lines.append(line)
        self._news.line(line, self._pid())

    def record(self, record: Log) -> None:
        """A record of the plugin's `logging`."""
        self._lines.append(record.text)
        self._news.record(record, self._pid())

    def progress(self, line: str) -> None:
        """A line of progress of the environment that is being built for it."""
        self._lines.append(line)
        self._news.progress(line)


class News:
    """`rate` is how many lines of output are logged per second; 0: all."""

    def __init__(self, log: Any, journal: Journal, rate: int = 0) -> None:  # noqa: ANN401 - structlog's loggers have no type
        self.gate = FloodGate(rate)
        self._log = log
        self._journal = journal

    def line(self, line: str, pid: int | None) -> None:
        """A line of output."""
        if self.gate.admits(monotonic()):
            self._log.info("plugin.output", line=line, **_whose(pid))
        self._journal.append("output", line, pid=pid)

    def progress(self, line: str) -> None:
        """A line of progress of the environment that is being built for a worker."""
        self._log.info("environment.progress", line=line)
        self._journal.append("event", f"environment: {line}")

    def record(self, record: Log, pid: int | None) -> None:
        """A record of the plugin's `logging`."""
        # `logging` lets a plugin define its own levels; structlog knows only the standard ones.
        level = next((level for level in LEVELS if record.level >= level), LEVELS[-1])
        if self.gate.admits(monotonic()):
            whose = _whose(pid)
            self._log.log(
                level, "plugin.log", logger=record.logger, text=record.text, request=record.request_id, **whose
            )
        name = logging.getLevelName(level)
        self._journal.append("log", record.text, level=name, request=record.request_id or None, pid=pid)

    def look(self) -> None:
        """Called about once a second: log how many lines were left out."""
        lines = self.gate.take_untold()
        if lines:
            self._log.warning("plugin.output_left_out", lines=lines)

    def moved(self, before: Life, life: Life, event: Event) -> None:
        """Log a change of the plugin's stage."""
        if life.stage is before.stage:
            return
        if life.state is not before.state:
            self._log.info("plugin.state", state=life.state, was=before.state, because=event.value)
        else:
            self._log.info("plugin.stage", state=life.state, stage=life.stage, was=before.stage, because=event.value)
        self._journal.append("event", f"{before.stage} -> {life.stage} ({event.value})")

    def failed(self, failure: Failure, pid: int | None, frame: str | None) -> None:
        """Log that a worker has failed. `frame` is the beginning of the frame that broke the protocol, if one did."""
        self._log.error(
            "worker.failed",
            code=failure.code,
            message=failure.message,
            pid=pid,
            problems=[str(finding_of(problem)) for problem in failure.problems] or None,
            frame=frame,
            kept_serving=failure.kept or None,
        )
        self._journal.append("event", f"{failure.message} [{failure.code}]")


def _whose(pid: int | None) -> dict[str, int]:
    return {} if pid is None else {"pid": pid}
