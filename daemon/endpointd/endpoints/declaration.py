"""A file that declares endpoints: read with the values that it refers to, or refused with the line of each fault."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from endpointd.endpoints.declared import Declared, DeclaredFile, Reference, read_declared
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.resolving import read_at_most, resolve
from endpointd.errors import UsageError
from endpointd.manifest.findings import Finding, Severity

LARGEST_FILE = 4 * 1024 * 1024
"""Bytes."""


class DeclarationInvalid(UsageError):
    """A file that cannot be applied: `findings` are all that is wrong with it. None has a value in it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        first = findings[0]
        super().__init__("endpoints_invalid", "\n".join(map(str, findings)), first.remedy)
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a file declares, and where. `references` are the files that its values come from."""

    file: str
    endpoints: tuple[Declared, ...]
    lines: Mapping[str, int]
    references: tuple[Path, ...]

    def refused(self, error: EndpointInvalid) -> DeclarationInvalid:
        """The same faults with the lines that they are about."""
        return DeclarationInvalid(
            [
                Finding(Severity.ERROR, one.code, one.message, self.file, self._line(one.key), one.key, one.remedy)
                for one in error.faults
            ]
        )

    def _line(self, key: str) -> int | None:
        """Of the key, or of what it is a part of: a setting that is missing has no line of its own."""
        while key and key not in self.lines:
            key = key.rpartition(".")[0]
        return self.lines.get(key)


def load(path: Path, environment: Mapping[str, str], *, waits: bool = False) -> Declaration:
    """Blocking. A file that is a pipe is read only by who `waits` for its end. Raises `DeclarationInvalid`."""
    file = str(path)
    read = read_declared(_content(path, waits), file)
    if read.errors:
        raise DeclarationInvalid(read.errors)
    folder = path.parent
    endpoints, faults = resolve(read, file, folder, environment)
    if faults:
        raise DeclarationInvalid(faults)
    return Declaration(file, endpoints, read.lines, tuple(folder / name for name in _files(read)))


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
