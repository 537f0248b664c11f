"""The failure of a worker: why it ended or did not start. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """`at` is when it happened. `problems` are those of `LoadFailed`, `lines` is the last output, and `release` is the
    digest of the release that the worker ran. `kept` says whether another worker went on serving. `over_at` is when the
    failure was over, or None. Times are in seconds since the epoch."""

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
    """Whether one of a plugin's problems will be the same at every start. A failed import is not: it may succeed
    later."""
    return any(problem.get("code") in _PERMANENT for problem in problems)
