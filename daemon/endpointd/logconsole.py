"""An event of the log for people's eyes: one line, and what is longer on lines of its own below it.

Plugins and clients bring in much of what is logged. None of it begins a line, or steers the operator's terminal.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import structlog
from structlog.typing import EventDict, WrappedLogger

from endpointd.manifest.findings import one_line

_BARE = ("event", "logger")
"""What stands in the line without quotes, whatever is in it."""

_LISTS = ("problems", "findings", "faults", "reasons")
"""Sentences, each of which is to be read by itself."""


@dataclass(frozen=True, slots=True)
class _Quoted:
    """A text that the renderer has to quote: others it writes as they are, unless they have blanks in them."""

    text: str

    def __repr__(self) -> str:
        return repr(self.text)


class Console:
    """A processor that makes the text; `colours` are for terminals."""

    def __init__(self, *, colours: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        event = structlog.processors.format_exc_info(logger, method, event)
        below = list(_taken_below(event))
        for key, value in event.items():
            if isinstance(value, str) and not value.isprintable():
                event[key] = one_line(value) if key in _BARE else _Quoted(value)
        return "\n".join([self._render(logger, method, event), *below])


def _taken_below(event: EventDict) -> Iterator[str]:
    """The lines of what is too long for the event's own, taken out of it."""
    for key in _LISTS:
        for sentence in event.pop(key, None) or ():
            yield from _indented(sentence)
    if len(str(event.get("text", "")).splitlines()) > 1:
        yield from _indented(event.pop("text"))
    yield from _indented(event.pop("exception", ""))


def _indented(text: str) -> Iterator[str]:
    return (f"  {one_line(line.expandtabs())}" for line in text.splitlines())
