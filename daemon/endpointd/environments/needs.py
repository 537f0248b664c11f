"""What a plugin's folder requires of its environment. Pure.

A `pyproject.toml` that names dependencies takes precedence over a `requirements.txt`, and the `uv.lock` beside it pins
the exact versions. A plugin that has neither file, or requires nothing, runs on the host's interpreter and packages.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from endpointd.environments.projects import LOCK, PROJECT, Project, read_lock, read_project
from endpointd.environments.requirements import RequirementsProblem, read_requirements
from endpointd.manifest.files import FileProblem, Kind, PluginFiles
from endpointd.manifest.findings import Place, Report, shown

REQUIREMENTS = "requirements.txt"


class Source(StrEnum):
    """The file that declares the requirements. It determines how uv is called."""

    LOCK = LOCK
    PROJECT = PROJECT
    REQUIREMENTS = REQUIREMENTS


@dataclass(frozen=True, slots=True)
class Needs:
    """A folder's requirements, of which `digest` is a digest. `files` are the files that uv has to read; if empty, uv
    needs the whole folder.

    `runner_version` and `requires_python` determine the interpreter.
    """

    source: Source
    digest: str
    files: tuple[str, ...]
    runner_version: str | None = None
    requires_python: str | None = None


def read_needs(
    files: PluginFiles, runner_version: str | None, content: str | None, host_version: str, report: Report
) -> Needs | None:
    """The folder's requirements. None if there are none, or on an error, which is then added to `report`.

    `content` is the digest of the whole folder. `host_version` is the version of the host's interpreter ("3.12.1"), on
    which a plugin without requirements runs.
    """
    try:
        return _read(files, runner_version, content, host_version, report)
    except RequirementsProblem as problem:
        report.error(Place(problem.file, problem.line), problem.code, problem.message, problem.remedy)
    except FileProblem as problem:
        report.error(Place(REQUIREMENTS), problem.code, problem.message, problem.remedy)
    return None


def _read(
    files: PluginFiles, runner: str | None, content: str | None, host_version: str, report: Report
) -> Needs | None:
    project = read_project(_text(files, PROJECT)) if files.kind(PROJECT) is Kind.FILE else None
    requires_python = None if project is None else project.requires_python
    fits_host = _allows(requires_python, host_version)
    if project is not None and project.asks:
        return _of_project(files, project, runner, content)
    found = read_requirements(files, REQUIREMENTS) if files.kind(REQUIREMENTS) is Kind.FILE else None
    if found is not None and found.asks:
        digest = _digest(Source.REQUIREMENTS, *found.lines, *_content(found.is_local, content))
        inputs = () if found.is_local else tuple(found.files)
        return Needs(Source.REQUIREMENTS, digest, inputs, runner, requires_python)
    if project is not None and project.poetry:
        message = "its dependencies are in [tool.poetry.dependencies], which is not read: they are not installed"
        remedy = "list them in requirements.txt, or as [project] dependencies"
        report.warning(Place(PROJECT), "poetry_unread", message, remedy)
    return None if project is None or fits_host else _of_project(files, project, runner, content)


def _of_project(files: PluginFiles, project: Project, runner: str | None, content: str | None) -> Needs:
    if files.kind(LOCK) is Kind.FILE and project.asks:
        lock, is_local = read_lock(_text(files, LOCK))
        is_local |= project.is_local
        digest = _digest(Source.LOCK, lock, project.normal, *_content(is_local, content))
        return Needs(Source.LOCK, digest, () if is_local else (PROJECT, LOCK), runner, project.requires_python)
    digest = _digest(Source.PROJECT, project.normal, *_content(project.is_local, content))
    inputs = () if project.is_local else (PROJECT,)
    return Needs(Source.PROJECT, digest, inputs, runner, project.requires_python)


def _text(files: PluginFiles, path: str) -> str:
    try:
        return files.read(path).decode()
    except UnicodeDecodeError as error:
        message = f"it is not UTF-8: {error.reason}"
        raise RequirementsProblem("project_invalid", message, "save it as UTF-8", path) from error
    except FileProblem as problem:
        raise RequirementsProblem(problem.code, problem.message, problem.remedy, path) from problem


def _allows(requires_python: str | None, version: str) -> bool:
    if requires_python is None:
        return True
    try:
        return SpecifierSet(requires_python).contains(version, prereleases=True)
    except InvalidSpecifier as error:
        message = f"project.requires-python is {shown(requires_python)}, which is no range of versions"
        raise RequirementsProblem("project_invalid", message, 'write it as ">=3.11"', PROJECT) from error


def _content(is_local: bool, content: str | None) -> tuple[str, ...]:
    """For `_digest`: the folder's content, if packages are installed from the folder and so change with it."""
    return (content or "",) if is_local else ()


def _digest(*parts: str) -> str:
    whole = hashlib.sha256()
    for part in parts:
        whole.update(f"{len(part)} {part}\n".encode())
    return whole.hexdigest()
