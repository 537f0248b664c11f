"""What a check has to say: the finding, its severity, and the report that collects findings."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

SHOWN_CHARACTERS = 80


class Severity(StrEnum):
    """An error keeps the plugin from being served; a warning is something its author should know."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault: what is wrong, where, and what to do about it.

    `code` is stable and made for programs. `file` is relative to the plugin's folder, `line` counts from 1,
    `key` is a dotted path such as `extra.python.source` or `plugins.endpoints[0]`; each is None where unknown.
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
    """Where in a plugin something is written; the fields are those of `Finding`."""

    file: str
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class Report:
    """Collects the findings of one reading, in the order in which they are made."""

    def __init__(self) -> None:
        self._findings: list[Finding] = []

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every finding so far."""
        return tuple(self._findings)

    def error(self, place: Place, code: str, message: str, remedy: str) -> None:
        """Record what keeps the plugin from being served."""
        self.add(Severity.ERROR, place, code, message, remedy)

    def warning(self, place: Place, code: str, message: str, remedy: str) -> None:
        """Record what the author should know, and go on."""
        self.add(Severity.WARNING, place, code, message, remedy)

    def add(self, severity: Severity, place: Place, code: str, message: str, remedy: str) -> None:
        """Record a finding whose severity the caller was given."""
        self._findings.append(Finding(severity, code, message, place.file, place.line, place.key, remedy))


def shown(value: object) -> str:
    """A value as it appears in a message: quoted, escaped, and cut when it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[: SHOWN_CHARACTERS - 3]}..."


def one_line(text: str) -> str:
    """The text with everything unprintable escaped, so that a hostile file cannot forge lines of a log."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def finding_of(problem: Mapping[str, Any]) -> Finding:
    """A problem that a worker has reported. It is not trusted to have the right types."""
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
