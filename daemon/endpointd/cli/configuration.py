"""Computes the effective settings from flags, environment variables and file, and the source of each value."""

import difflib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from endpointd.backends.choosing import faults
from endpointd.cli.table_faults import explained
from endpointd.errors import UsageError
from endpointd.settings.names import ENVIRONMENT_PREFIX, flag_of, variable_of
from endpointd.settings.plugin_limits import PluginLimits
from endpointd.settings.settings import Settings
from endpointd.settings.types import form_of


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings of one start; `origins` names for each where its value came from: flag, variable, file, default.

    `flags` are those that were given; with them the same start can be read again.
    """

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...]
    flags: Mapping[str, object]


class SettingsError(UsageError):
    """Some settings are not valid. `problems` has one error for each."""

    def __init__(self, problems: Sequence[UsageError]) -> None:
        super().__init__(
            "settings_invalid",
            "; ".join(problem.message for problem in problems),
            "; ".join(problem.remedy for problem in problems),
        )
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def load(flags: Mapping[str, object]) -> Configuration:
    """Settings from `flags` (only those that were given), the process's environment and the file they name.

    SettingsError: values or keys cannot be used; UsageError: the file cannot be read.
    """
    variables = frozenset(name.upper() for name, value in os.environ.items() if value)
    file = str(flags.get("config") or os.environ.get(variable_of("config"), ""))
    sources = _Sources(frozenset(flags), variables, file)
    try:
        settings = Settings.model_validate(dict(flags))
    except ValidationError as error:
        raise SettingsError([_explain(detail, sources) for detail in _first_each(error)]) from None
    origins = {
        name: sources.origin_of(name) if name in settings.model_fields_set else "default"
        for name in Settings.model_fields
    }
    problems = list(faults(settings))
    if problems:
        raise SettingsError(problems)
    return Configuration(settings, origins, tuple(_misspelt(variables)), dict(flags))


@dataclass(frozen=True, slots=True)
class _Sources:
    flags: frozenset[str]
    variables: frozenset[str]
    file: str

    def origin_of(self, name: str) -> str:
        """The source of a setting's value that is not the default: the first one that has it."""
        if name in self.flags:
            return flag_of(name)
        return variable_of(name) if variable_of(name) in self.variables else self.file


_DEPTHS = {"plugin": 4, "backend": 6, "calls": 2}
"""How many parts of pydantic's location identify one value."""


def _first_each(error: ValidationError) -> Iterable[ErrorDetails]:
    """The first fault of each value: further ones (of a list's second item, of a union's second branch) add nothing."""
    seen = set()
    for detail in error.errors(include_url=False):
        where = detail["loc"][: _DEPTHS.get(str(detail["loc"][0]), 1)]
        if where not in seen:
            seen.add(where)
            yield detail


def _explain(detail: ErrorDetails, sources: _Sources) -> UsageError:
    path = [str(part) for part in detail["loc"]]
    origin = sources.origin_of(path[0])
    if path[0] in ("backend", "calls") or path[2:3] == ["calls"]:
        return explained(detail, path, origin)
    key = _key(path)
    if detail["type"] == "extra_forbidden":
        return UsageError("setting_unknown", f"{origin}: there is no setting {key}", _suggestion(path))
    known = PluginLimits.model_fields if path[0] == "plugin" and len(path) > 2 else Settings.model_fields
    name = path[2] if known is PluginLimits.model_fields else path[0]
    # What is given to plugins in their environment may well be secret, and a URL may have a password in it.
    value = (
        "" if "env" in path or path[0] in ("database", "uv_index_url", "uv_find_links") else f" = {detail['input']!r}"
    )
    reason = detail["msg"].removeprefix("Value error, ")
    return UsageError(
        "setting_invalid",
        f"{origin}: {key}{value} cannot be used: {reason[:1].lower()}{reason[1:]}",
        f"give {form_of(known[name]).accepts}",
    )


def _key(path: list[str]) -> str:
    """The key as it is written in the file: plugin."author/name".clock_queue."""
    return ".".join([path[0], f'"{path[1]}"', *path[2:]]) if path[0] == "plugin" and path[1:] else path[0]


def _suggestion(path: list[str]) -> str:
    known = Settings.model_fields if len(path) == 1 else PluginLimits.model_fields
    if len(path) > 1 and path[-1] in Settings.model_fields:
        return f"{path[-1]} holds for the whole daemon: move it above the first table of the file"
    near = difflib.get_close_matches(path[-1], known, n=1)
    return f"did you mean {near[0]}?" if near else "'endpointd serve --help' lists the settings; remove this one"


def _misspelt(variables: Iterable[str]) -> Iterable[str]:
    """Environment variables whose names are similar to a setting's. Others with the prefix may belong to another
    program."""
    known = [variable_of(name) for name in Settings.model_fields]
    for variable in sorted(variables):
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in known:
            near = difflib.get_close_matches(variable, known, n=1, cutoff=0.85)
            if near:
                yield f"the environment variable {variable} sets nothing; did you mean {near[0]}?"
