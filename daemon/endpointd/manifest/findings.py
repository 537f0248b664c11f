"""The result of a check: findings, each with a severity, and the report that collects them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

SHOWN_CHARACTERS = 80


class Severity(StrEnum):
    """A plugin with an error is not served; a warning is something its author should know."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: what is wrong, where, and what to do about it.

    `code` is stable, for programs. `file` is relative to the plugin's folder, `line` counts from 1, `key` is a dotted
    path such as `extra.python.source` or `plugins.endpoints[0]`; each of the three is None if unknown.
    """

    severity: Severity
    code: str
    message: str
    file: str | None
    line: int | None
    key: str | None
    remedy: str

    def __str__(self) -> str:
        """The finding on one line: `file:line: key: message; remedy [code]`."""
        place = self.file if self.file is None or self.line is None else f"{self.file}:{self.line}"
        text = ": ".join(part for part in (place, self.key, self.message) if part)
        remedy = f"; {self.remedy}" if self.remedy else ""
        return one_line(f"{text}{remedy} [{self.code}]")

    def as_dict(self) -> dict[str, object]:
        """The finding as plain values for JSON."""
        return {**asdict(self), "severity": self.severity.value}


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a plugin something is written. The fields are those of `Finding`."""

    file: str
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Report:
    """Collects the findings while a plugin is read, in order."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding so far."""
        return tuple(self._findings)

    def error(self, place: Place, code: str, message: str, remedy: str) -> None:
        """Record an error."""
        self.add(Severity.ERROR, place, code, message, remedy)

    def warning(self, place: Place, code: str, message: str, remedy: str) -> None:
        """Record a warning."""
        self.add(Severity.WARNING, place, code, message, remedy)

    def add(self, severity: Severity, place: Place, code: str, message: str, remedy: str) -> None:
        """Record a finding of the given severity."""
        self._findings.append(Finding(severity, code, message, place.file, place.line, place.key, remedy))


def shown(value: object) -> str:
    """A value for a message: quoted, escaped, and cut if it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def one_line(text: str) -> str:
    """The text with unprintable characters escaped, so that a hostile file cannot forge lines of a log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def finding_of(problem: Mapping[str, Any]) -> Finding:
    """The finding for a problem that a worker has reported (`LoadFailed`). Its fields may be of any type."""
    line = problem.get("line")
    return Finding(
        severity=Severity.ERROR,
        code=str(problem.get("code", "load_failed")),
        message=str(problem.get("message", "the plugin cannot be loaded")),
        file=str(problem["file"]) if problem.get("file") else None,
        line=line if isinstance(line, int) else None,
        key=str(problem["key"]) if problem.get("key") else None,
        remedy=str(problem.get("remedy", "")),
    )
