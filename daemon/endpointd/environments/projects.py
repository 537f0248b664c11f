"""Reads the requirements in `pyproject.toml` and `uv.lock`. Pure.

The project's own name and version are ignored, because they do not affect the packages: so a new version of a plugin,
or another plugin, with the same dependencies gets the existing environment.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from endpointd import toml
from endpointd.environments.requirements import RequirementsProblem, leads_outside
from endpointd.manifest.findings import shown

PROJECT = "pyproject.toml"
LOCK = "uv.lock"


@dataclass(frozen=True, slots=True)
class Project:
    """The requirements of a project. `asks`: it has dependencies. `is_local`: some of the dependencies, or their list,
    come from other files in the folder. `normal` is a text that is equal for equal requirements. `poetry`: it has
    dependencies in Poetry's own format, which is not read."""

    asks: bool
    requires_python: str | None
    is_local: bool
    normal: str
    poetry: bool


def read_project(text: str) -> Project:
    """Parse a `pyproject.toml`. Raises `RequirementsProblem`."""
    document = _parse(text, PROJECT)
    project = document.get("project", {})
    if not isinstance(project, dict):
        raise _invalid("'project' is not a table")
    dependencies = _strings(project, "dependencies")
    requires = project.get("requires-python")
    if requires is not None and not isinstance(requires, str):
        raise _invalid("project.requires-python is not a text")
    is_dynamic = "dependencies" in _strings(project, "dynamic")
    tool = document.get("tool", {})
    uv = tool.get("uv", {}) if isinstance(tool, dict) else {}
    sources = uv.get("sources", {}) if isinstance(uv, dict) else {}
    if not isinstance(sources, dict):
        raise _invalid("tool.uv.sources is not a table")
    is_local = is_dynamic or _has_local_source(sources) or any(_is_local(demand) for demand in dependencies)
    normal = _normal({"dependencies": dependencies, "requires": requires, "uv": uv})
    return Project(bool(dependencies) or is_dynamic, requires, is_local, normal, _has_poetry(tool))


def read_lock(text: str) -> tuple[str, bool]:
    """Parse a `uv.lock`. Returns a text that is equal for equal locks, and whether packages come from the folder.
    Raises `RequirementsProblem`."""
    document = _parse(text, LOCK)
    packages = document.get("package", [])
    if not isinstance(packages, list) or not all(isinstance(package, dict) for package in packages):
        raise _invalid("'package' is not a list of tables", LOCK)
    kept, is_local = [], False
    for package in packages:
        source = package.get("source")
        source = source if isinstance(source, dict) else {}
        if "." in (source.get("virtual"), source.get("editable")):
            package = {key: value for key, value in package.items() if key not in ("name", "version")}
        else:
            paths = [source[key] for key in ("virtual", "editable", "directory", "path") if key in source]
            is_local |= bool(paths)
            _expect_inside(paths, LOCK)
        kept.append(package)
    return _normal({**document, "package": sorted(kept, key=_normal)}), is_local


def _parse(text: str, file: str) -> dict[str, Any]:
    try:
        return toml.parse(text)
    except ValueError as error:
        raise _invalid(f"it is not TOML: {error}", file) from error


def _invalid(message: str, file: str = PROJECT) -> RequirementsProblem:
    return RequirementsProblem("project_invalid", message, "correct it, or remove the file", file)


def _has_poetry(tool: object) -> bool:
    poetry = tool.get("poetry") if isinstance(tool, dict) else None
    dependencies = poetry.get("dependencies") if isinstance(poetry, dict) else None
    # "python" is the interpreter.
    return isinstance(dependencies, dict) and bool(dependencies.keys() - {"python"})


def _strings(table: Mapping[str, object], name: str) -> list[str]:
    value = table.get(name, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _invalid(f"project.{name} is not a list of texts")
    return value


def _is_local(demand: str) -> bool:
    try:
        url = Requirement(demand).url
    except InvalidRequirement as error:
        raise _invalid(f"{shown(demand)} is no requirement: {str(error).splitlines()[0]}") from error
    is_local = url is not None and url.startswith("file:")
    _expect_inside([url] if is_local else [], PROJECT)
    return is_local


def _has_local_source(sources: Mapping[str, object]) -> bool:
    """Whether `tool.uv.sources` names a path or another member of a workspace."""
    values = [one for value in sources.values() for one in (value if isinstance(value, list) else [value])]
    tables = [value for value in values if isinstance(value, dict)]
    _expect_inside([table["path"] for table in tables if "path" in table], PROJECT)
    return any({"path", "workspace"} & set(table) for table in tables)


def _expect_inside(paths: Iterable[object], file: str) -> None:
    """Raise `RequirementsProblem` for the first path that leads out of the plugin's folder."""
    for path in map(str, paths):
        if leads_outside(path):
            message = f"it asks for {shown(path)}, which is outside the plugin's folder"
            raise RequirementsProblem("project_invalid", message, "put a copy into the folder", file)


def _normal(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str, separators=(",", ":"))
