"""Reads requirements files, in order to recognise equal requirements. Pure.

uv reads the files itself when it installs. Here it only matters which files include each other, and which lines they
have in total.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from posixpath import dirname, join, normpath
from urllib.parse import unquote

from packaging.requirements import InvalidRequirement, Requirement

from endpointd.manifest.files import FileProblem, PluginFiles
from endpointd.manifest.findings import shown

MAX_FILES = 50
"""The largest number of requirements files of one plugin, counting the included ones."""

_COMMENT = re.compile(r"(^|\s)#.*$")
_INCLUDE = re.compile(r"(-r|--requirement|-c|--constraint)(?:\s*=\s*|\s+|(?<=-[rc]))(\S.*)")
_EDITABLE = re.compile(r"(-e|--editable)\b")
_LINKS = re.compile(r"(-f|--find-links)(?:\s*=\s*|\s+)(\S.*)")
_OPTIONS = re.compile(r"\s--?[a-z].*$")
_REMOTE = re.compile(r"(?:[a-z]+\+)?(https?|ssh|git)://", re.IGNORECASE)
_PATH = re.compile(r"^[./~]|/")
_ARCHIVE = re.compile(r"[^:@]*\.(whl|zip|tar\.gz)")
_FILE = re.compile(r"file:(//[^/]*)?", re.IGNORECASE)
_ROOT = "${PROJECT_ROOT}/"
"""uv replaces this by its working directory."""


class RequirementsProblem(Exception):
    """Requirements cannot be used. Says what is wrong, where, and what to do."""

    def __init__(self, code: str, message: str, remedy: str, file: str, line: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.remedy = remedy
        self.file = file
        self.line = line


@dataclass(slots=True)
class Requirements:
    """`lines` are the lines of all `files`, without comments and line continuations. `is_local`: some lines refer to
    other files in the plugin's folder (a wheel, the source of a package)."""

    lines: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    is_local: bool = False
    asks: bool = False
    """Whether any package is required. Constraints and options do not count."""
    read: set[tuple[str, str]] = field(default_factory=set)
    """The files that were read, each with the prefix of its lines ("-c " for constraints). The same file may be
    included both as requirements and as constraints."""


def read_requirements(files: PluginFiles, path: str) -> Requirements:
    """Read the requirements file at `path` and those that it includes. Raises `RequirementsProblem`, or `FileProblem`
    if `path` itself cannot be read."""
    found = Requirements()
    _read(files, path, "", found)
    return found


def _read(files: PluginFiles, path: str, prefix: str, found: Requirements) -> None:
    found.read.add((path, prefix))
    if path not in found.files:
        found.files.append(path)
    if len(found.files) > MAX_FILES:
        raise RequirementsProblem("requirements_invalid", f"more than {MAX_FILES} files", "join some of them", path)
    for number, line in _logical_lines(_text(files, path)):
        include = _INCLUDE.fullmatch(line)
        if include is not None:
            inner = _included(path, number, include[2].strip("\"'"))
            constrains = "-c " if prefix or include[1] in ("-c", "--constraint") else ""
            if (inner, constrains) not in found.read:
                _read_included(files, path, number, inner, constrains, found)
            continue
        _check(line, path, number, found)
        found.lines.append(prefix + line)
        found.asks |= not prefix and not line.startswith("-")


def _read_included(files: PluginFiles, path: str, number: int, inner: str, prefix: str, found: Requirements) -> None:
    try:
        _read(files, inner, prefix, found)
    except FileProblem as problem:
        raise RequirementsProblem(problem.code, problem.message, problem.remedy, path, number) from problem


def _text(files: PluginFiles, path: str) -> str:
    try:
        return files.read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"it is not UTF-8: {error.reason}"
        raise RequirementsProblem("requirements_invalid", message, "save it as UTF-8", path) from error


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines with their numbers, without comments. Lines continued by a backslash are joined, and runs of blanks
    become one blank."""
    begun, whole = 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        begun = begun or number
        stripped = _COMMENT.sub("", line).rstrip()
        if stripped.endswith("\\"):
            whole += stripped[:-1] + " "
            continue
        whole = " ".join((whole + stripped).split())
        if whole:
            yield begun, whole
        begun, whole = 0, ""
    if whole.strip():
        yield begun, " ".join(whole.split())


def leads_outside(path: str) -> bool:
    """Whether a path or a `file:` URL, relative to the plugin's folder, leads to something outside it."""
    inner = path.partition(_ROOT)[2] if _ROOT in path else _FILE.sub("", path, count=1)
    parts = normpath(unquote(inner)).split("/")
    return parts[0] in ("", "..") or parts[0].startswith(("~", "$"))


def _included(path: str, number: int, target: str) -> str:
    if "://" in target:
        message = f"it includes {shown(target)}, whose content may change"
        raise RequirementsProblem("requirements_invalid", message, "put a copy into the folder", path, number)
    inner = normpath(join(dirname(path), target))
    if leads_outside(inner):
        message = f"it includes {shown(target)}, which is outside the plugin's folder"
        raise RequirementsProblem("requirements_invalid", message, "put a copy into the folder", path, number)
    return inner


def _check(line: str, path: str, number: int, found: Requirements) -> None:
    """Set `found.is_local` if the line refers to files in the folder. Raises `RequirementsProblem`."""
    if _EDITABLE.match(line):
        message = f"{shown(line)} asks for an editable installation, and releases are not edited"
        raise RequirementsProblem("requirements_invalid", message, "leave -e out", path, number)
    if line.startswith("-"):
        links = _LINKS.fullmatch(line)
        found.is_local |= links is not None and "://" not in links[2]
        return
    demand = _OPTIONS.sub("", line)
    if _ARCHIVE.fullmatch(demand):
        # Such a text is also a valid name of a package, so it must be checked before it is parsed as a requirement.
        _expect_inside(demand, path, number)
        found.is_local = True
        return
    try:
        target = Requirement(demand).url
    except InvalidRequirement as error:
        target = demand.partition(";")[0].strip()
        if not _REMOTE.match(target) and not _PATH.search(target):
            raise _not_understood(demand, error, path, number) from error
    if target is not None and not _REMOTE.match(target):
        _expect_inside(target, path, number)
        found.is_local = True


def _expect_inside(target: str, path: str, number: int) -> None:
    # The path may be relative to the folder of the file that names it, or to the plugin's folder; both are accepted.
    if leads_outside(target) and leads_outside(join(dirname(path), _FILE.sub("", target, count=1))):
        message = f"it asks for {shown(target)}, which is outside the plugin's folder"
        raise RequirementsProblem("requirements_invalid", message, "put a copy into the folder", path, number)


def _not_understood(demand: str, error: Exception, path: str, number: int) -> RequirementsProblem:
    reason = str(error).splitlines()[0]
    message = f"{shown(demand)} is no requirement: {reason}"
    return RequirementsProblem("requirements_invalid", message, "write it as name==version", path, number)
