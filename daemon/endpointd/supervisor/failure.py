"""Why a worker ended or did not start. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """`at` is in seconds since the epoch, `problems` are those of `LoadFailed`, `lines` the last output, `release` what
    the worker ran. `kept` tells whether another worker went on answering, `over_at` since when all is well again, if it
    is."""

    code: str
    message: str
    at: float
    problems: tuple[Mapping[str, Any], ...] = ()
    lines: tuple[str, ...] = ()
    release: str | None = None
    kept: bool = False
    over_at: float | None = None


_PERMANENT = frozenset(
    {
        *("syntax_error", "source_unreadable", "class_several", "class_missing"),
        *("invoke_missing", "invoke_async", "invoke_signature"),
    }
)


def are_permanent(problems: Iterable[Mapping[str, Any]]) -> bool:
    """Whether one of a plugin's problems is the same at every start. An import may fail today and succeed tomorrow."""
    return any(problem.get("code") in _PERMANENT for problem in problems)
