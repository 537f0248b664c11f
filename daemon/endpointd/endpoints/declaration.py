"""Loads a file that declares endpoints, with the values that it refers to, or refuses it with the line of each fault.

Faults are found in three stages: in the text of the file, in the values that it refers to, and by the daemon, which
knows the plugins. All are reported together: a fault of one stage does not hide those of the next.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from endpointd.endpoints.declared import Declared, DeclaredFile, Reference, read_declared
from endpointd.endpoints.resolving import read_at_most, resolve
from endpointd.errors import UsageError
from endpointd.manifest.findings import Finding, Severity
from endpointd.manifest.values import Fault

LARGEST_FILE = 4 * 1024 * 1024
"""The most bytes of a file."""

_NUMBER = re.compile(r"^endpoints\[(\d+)\]")


class DeclarationInvalid(UsageError):
    """A file cannot be applied. `findings` are all its faults; none of them contains a value."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__("endpoints_invalid", "\n".join(map(str, findings)), first.remedy)
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


@dataclass(frozen=True, slots=True)
class Declaration:
    """A file that was loaded. `lines` has the line of each key; `references` are the files that values are read from.

    If there are `faults`, the declaration can only be checked, by a dry run, and must then be refused. `places` are the
    positions in the file of `endpoints`, which lack those that are too faulty to be checked.
    """

    file: str
    endpoints: tuple[Declared, ...]
    places: tuple[int, ...]
    lines: Mapping[str, int]
    references: tuple[Path, ...]
    faults: tuple[Finding, ...] = ()

    def refused(self, judged: Sequence[Fault] = ()) -> DeclarationInvalid:
        """The error with all faults and their lines: its own, and `judged`, those that the daemon has found."""
        own = {str(one.key) for one in self.faults}
        others = [self._finding(one) for one in judged]
        # Faulty values were not passed to the daemon, which therefore reports them as missing.
        news = [one for one in others if own.isdisjoint(_with_parents(str(one.key)))]
        return DeclarationInvalid(sorted([*self.faults, *news], key=lambda one: one.line or 0))

    def _finding(self, fault: Fault) -> Finding:
        key = _NUMBER.sub(lambda match: f"endpoints[{self.places[int(match[1])]}]", fault.key)
        return Finding(Severity.ERROR, fault.code, fault.message, self.file, self._line(key), key, fault.remedy)

    def _line(self, key: str) -> int | None:
        """The line of the key, or of the nearest parent that has one: a missing setting has no line."""
        return next((self.lines[one] for one in _with_parents(key) if one in self.lines), None)


def _with_parents(key: str) -> Iterator[str]:
    while key:
        yield key
        key = key.rpartition(".")[0]


def load(path: Path, environment: Mapping[str, str], *, waits: bool = False) -> Declaration:
    """Load the file. Blocking. A pipe is only read with `waits`, because reading waits for its end. Raises
    `DeclarationInvalid` if there is nothing left that could be checked further."""
    file = str(path)
    read = read_declared(_content(path, waits), file)
    folder = path.parent
    endpoints, unavailable = resolve(read, file, folder, environment)
    faults = (*read.errors, *unavailable)
    if faults and not endpoints:
        raise DeclarationInvalid(faults)
    return Declaration(file, endpoints, read.places, read.lines, tuple(folder / name for name in _files(read)), faults)


def _content(path: Path, waits: bool) -> bytes:
    try:
        data = read_at_most(LARGEST_FILE, path, waits=waits)
    except (OSError, ValueError) as error:
        reason = f"the file cannot be read: {getattr(error, 'strerror', None) or 'it is no file'}"
        raise DeclarationInvalid([_about(path, "endpoints_unreadable", reason, "put it there, readable")]) from error
    if len(data) > LARGEST_FILE:
        reason = f"the file has more than {LARGEST_FILE} bytes"
        raise DeclarationInvalid(
            [_about(path, "endpoints_too_large", reason, "put large values into files of their own")]
        )
    return data


def _about(path: Path, code: str, message: str, remedy: str) -> Finding:
    return Finding(Severity.ERROR, code, message, str(path), None, None, remedy)


def _files(read: DeclaredFile) -> Iterable[str]:
    values = (value for one in read.endpoints for value in one.settings.values())
    return dict.fromkeys(one.name for one in values if isinstance(one, Reference) and one.kind == "file")
