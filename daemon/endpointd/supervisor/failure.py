"""Why a worker ended or did not start. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Failure:
    """`at` is in seconds since the epoch, `problems` are those of `LoadFailed`, `lines` the last output, `release` what
    the worker ran. `kept` tells whether another worker went on answering."""

    code: str
    message: str
    at: float
    problems: tuple[Mapping[str, Any], ...] = ()
    lines: tuple[str, ...] = ()
    release: str | None = None
    kept: bool = False
