"""Formats an event of the log for people: one line, followed by indented lines for long values.

Much of the content comes from plugins and clients. It can neither forge a line of the log, because it never stands at
the beginning of one, nor send control characters to the operator's terminal.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import structlog
from structlog.typing import EventDict, WrappedLogger

from endpointd.manifest.findings import one_line

_BARE = ("event", "logger")
"""Keys whose values the renderer never quotes."""

_LISTS = ("problems", "findings", "faults", "reasons")
"""Keys whose values are lists of sentences, each of which gets a line of its own."""


@dataclass(frozen=True, slots=True)
class _Quoted:
    """A text that the renderer must quote. It writes a str as it is, unless that contains blanks."""

    text: str

    def __repr__(self) -> str:
        return repr(self.text)


class Console:
    """The structlog processor that renders an event; with `colours` (ANSI escapes) for terminals."""

    def __init__(self, *, colours: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        event = structlog.processors.format_exc_info(logger, method, event)
        below = list(_taken_below(event))
        for key, value in event.items():
            if isinstance(value, StrEnum):
                # The renderer would write its repr.
                event[key] = value = str(value)
            if isinstance(value, str) and not value.isprintable():
                event[key] = one_line(value) if key in _BARE else _Quoted(value)
        return "\n".join([self._render(logger, method, event), *below])


def _taken_below(event: EventDict) -> Iterator[str]:
    """The indented lines for values that are too long for the event's own line; removes these from the event."""
    for key in _LISTS:
        for sentence in event.pop(key, None) or ():
            yield from _indented(sentence)
    if len(str(event.get("text", "")).splitlines()) > 1:
        yield from _indented(event.pop("text"))
    yield from _indented(event.pop("exception", ""))


def _indented(text: str) -> Iterator[str]:
    return (f"  {one_line(line.expandtabs())}" for line in text.splitlines())
