"""The log: one event a line on stderr, JSON or for people's eyes, for structlog and the standard library alike."""

import json
import logging
import os
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from endpointd.logconsole import Console
from endpointd.logfiles import Files, Rotation, open_files
from endpointd.logstream import PatientStream
from endpointd.setting_names import LogLevel
from endpointd.setting_types import LogFormat

_NUMBERS = {name.lower(): number for name, number in logging.getLevelNamesMapping().items()} | {"exception": 40}
_TALKATIVE = ("alembic", "httpcore", "httpx", "urllib3")
"""Libraries whose steps are no news to an operator, or whose steps tell too much: URLs may have a signature in them."""

_stderr: PatientStream | None = None
"""Where the log goes, unless it goes to files."""

_files: Files | None = None

_PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""As syslog counts them, and systemd's journal."""

_encode = json.JSONEncoder(default=repr).encode


class _Threshold:
    """A processor that leaves out what is below the level of the moment: structlog's own filters are chosen once."""

    def __init__(self) -> None:
        self.level = logging.INFO

    def __call__(self, _: WrappedLogger, method: str, event: EventDict) -> EventDict:
        if _NUMBERS.get(method, logging.CRITICAL) < self.level:
            raise structlog.DropEvent
        return event


_threshold = _Threshold()


def set_level(level: LogLevel) -> None:
    """Log every event of at least `level` from now on."""
    _threshold.level = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(_threshold.level)


def level_of_now() -> LogLevel:
    return cast("LogLevel", logging.getLevelName(_threshold.level).lower())


def configure(fmt: LogFormat, level: LogLevel, rotation: Rotation | None = None) -> None:
    """Send every event of at least `level` to stderr, or to files. Call it once, before the first event.
    `OperatorError`: the file cannot be written.

    "auto" is "console" when stderr is a terminal, else "json". Colours appear only on a terminal, and never when
    NO_COLOR is set.
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
        processors=[_threshold, *describe, render],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.WriteLoggerFactory(file=output),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_logging(describe, render, output)
    if rotation is not None and not rotation.can_turn():
        _tell_of_growth(rotation)


def reopen() -> None:
    """Open the file anew, if the log goes to one: who has moved it away wants to have a new one."""
    if _files is not None:
        _files.reopen()


def together() -> AbstractContextManager[None]:
    """Write what is logged meanwhile in one piece, so that whoever reads the log is woken once."""
    return nullcontext() if _stderr is None else _stderr.together()


def is_behind() -> bool:
    """Whether whoever reads the log is slower than it is written: who waits now, if it can, loses nothing."""
    return _stderr is not None and _stderr.is_behind()


def keep_silent() -> None:
    """For commands that tell by themselves what they do: only defects of ours are logged, on stderr."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )


def is_console(fmt: LogFormat) -> bool:
    """Whether the log is written for people's eyes."""
    return fmt == "console" or (fmt == "auto" and sys.stderr.isatty())


def _tell_of_lost(lines: int) -> None:
    log = structlog.get_logger()
    log.warning("log.lost", lines=lines)


def _tell_of_growth(rotation: Rotation) -> None:
    log = structlog.get_logger()
    log.warning("log.grows", file=str(rotation.file), folder=str(rotation.file.parent))


def _as_json(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """The line, which begins with the same keys as all others, so that the log can be read down the left edge.

    In one step, and not in three of structlog's, because there may be a line for each request.
    """
    if "exc_info" in event:
        event = structlog.processors.format_exc_info(logger, method, event)
    leading = {"timestamp": event.pop("timestamp"), "level": event.pop("level"), "event": event.pop("event")}
    return _encode({**leading, **event})


def _is_journal(stream: TextIO) -> bool:
    """Whether it leads to systemd's journal, as systemd says to whom it starts."""
    found = os.fstat(stream.fileno())
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def _with_priority(render: Processor) -> Processor:
    """Before the line its level, as the journal takes it (sd-daemon(3)), which keeps it apart from the line."""

    def rendered(logger: WrappedLogger, method: str, event: EventDict) -> str:
        priority = _PRIORITIES.get(event["level"], 6)
        line = render(logger, method, event)
        assert isinstance(line, str)
        return f"<{priority}>{line}"

    return rendered


def _adopt_standard_logging(describe: list[Processor], render: Processor, output: TextIO) -> None:
    """Records of the standard library's loggers, and warnings, become events like all others."""
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
