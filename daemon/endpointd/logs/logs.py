"""Configures the log: one event per line on stderr or in files, as JSON or for people, for structlog as well as for the
standard library's logging."""

import json
import logging
import os
import sys
from collections.abc import Collection
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from endpointd.logs.console import Console
from endpointd.logs.files import Files, Rotation, open_files
from endpointd.logs.stream import PatientStream
from endpointd.settings.names import LogLevel
from endpointd.settings.types import LogFormat

_NUMBERS = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()} | {"exception": 40}
_TALKATIVE = ("alembic", "httpcore", "httpx", "urllib3")
"""Libraries that log only warnings and errors: their other messages do not interest operators, or reveal too much (a
URL may contain a signature)."""

_stderr: PatientStream | None = None
"""The stream to which the log is written; None if it is written to files."""

_files: Files | None = None

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""The priorities of syslog and systemd's journal, by level."""

_encode = json.JSONEncoder(default=repr).encode


class _Threshold:
    """A structlog processor that drops events below the current level. structlog's own filter cannot be changed
    later."""

    def __init__(self) -> None:
        self.level = logging.INFO

    def __call__(self, _: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if _NUMBERS.get(method, logging.CRITICAL) < self.level:
            raise structlog.DropEvent
        return event


_threshold = _Threshold()


class _Without:
    """A structlog processor that drops the events with these names, unless everything is logged."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        if event["event"] in self._names and _threshold.level > logging.DEBUG:
            raise structlog.DropEvent
        return event


def set_level(level: LogLevel) -> None:
    """Log every event of at least `level` from now on."""
    _threshold.level = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(_threshold.level)


def level_of_now() -> LogLevel:
    return cast("LogLevel", logging.getLevelName(_threshold.level).lower())


def configure(fmt: LogFormat, level: LogLevel, rotation: Rotation | None = None, without: Collection[str] = ()) -> None:
    """Write every event of at least `level` to stderr, or to files if `rotation` is given. The events named in
    `without` are written only if the level is "debug". To be called once, before the first event. Raises
    `OperatorError` if the file cannot be written.

    "auto" is "console" if stderr is a terminal, else "json". Colours are used only on a terminal, and not if NO_COLOR
    is set.
    """
    terminal = rotation is None and sys.stderr.isatty()
    console = is_console(fmt) if rotation is None else fmt == "console"
    describe: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    colours = terminal and not os.environ.get("NO_COLOR")
    render: Processor = Console(colours=colours) if console else _as_json
    if rotation is None and _is_journal(sys.stderr):
        render = _with_priority(render)
    global _stderr, _files
    _stderr = PatientStream(sys.stderr, _tell_of_lost) if rotation is None else None
    _files = open_files(rotation) if rotation is not None else None
    output = cast("TextIO", _files or _stderr)
    set_level(level)
    structlog.configure(
        processors=[_threshold, *([_Without(without)] if without else []), *describe, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_logging(describe, render, output)
    if rotation is not None and not rotation.can_turn():
        _tell_of_growth(rotation)


def reopen() -> None:
    """Open the log's file again, if there is one. Tools such as logrotate rename it and expect a new one."""
    if _files is not None:
        _files.reopen()


def together() -> AbstractContextManager[None]:
    """A context manager: everything that is logged within it is written at its end, in one piece, so that the reader
    of the log is woken only once."""
    return nullcontext() if _stderr is None else _stderr.together()


def is_behind() -> bool:
    """Whether the reader of the log is slower than the log is written. Callers that can wait should, so that nothing
    is lost."""
    return _stderr is not None and _stderr.is_behind()


def keep_silent() -> None:
    """Log only critical events (defects), to stderr. For commands that print themselves what they do."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def is_console(fmt: LogFormat) -> bool:
    """Whether the log on stderr is formatted for people, not as JSON."""
    return fmt == "console" or (fmt == "auto" and sys.stderr.isatty())


def _tell_of_lost(lines: int) -> None:
    log = structlog.get_logger()
    log.warning("log.lost", lines=lines)


def _tell_of_growth(rotation: Rotation) -> None:
    log = structlog.get_logger()
    log.warning("log.grows", file=str(rotation.file), folder=str(rotation.file.parent))


def _as_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """Render an event as JSON. All lines begin with the same keys, so that they are easy to scan.

    Does in one step what takes three of structlog's processors, because there may be a line for each request.
    """
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    leading = {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "event": event.pop("event")}
    return _encode({**leading, **event})


def _is_journal(stream: TextIO) -> bool:
    """Whether the stream is connected to systemd's journal, according to the variable JOURNAL_STREAM that systemd
    sets."""
    found = os.fstat(stream.fileno())
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _with_priority(render: Processor) -> Processor:
    """A renderer that puts the event's priority before each line, as `<N>`. The journal removes it and stores it
    separately (sd-daemon(3))."""

    def rendered(logger: WrappedLogger, method: str, event: EventDict) -> str:
        priority = _PRIORITIES.get(event["level"], 6)
        line = render(logger, method, event)
        assert isinstance(line, str)
        return f"<{priority}>{line}"

    return rendered


def _adopt_standard_logging(describe: list[Processor], render: Processor, output: TextIO) -> None:
    """Let the standard library's loggers, and Python's warnings, write to `output` in the same format."""
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
            foreign_pre_chain=[*describe, structlog.stdlib.add_logger_name],
        )
    )
    logging.basicConfig(handlers=[handler], level=_threshold.level, force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
