"""Explains faults in the tables of backends and of `calls`. Values are never quoted, because they may be secret."""

import difflib
from collections.abc import Iterable

from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from endpointd.errors import UsageError
from endpointd.settings.backends import BACKENDS, App, Calls
from endpointd.settings.types import form_of

Fields = dict[str, FieldInfo]

_TYPES = " or ".join(f'type = "{name}"' for name in BACKENDS)


def explained(detail: ErrorDetails, path: list[str], origin: str) -> UsageError:
    """The explanation of one fault. `path` is pydantic's location, in which the type of a backend is a part."""
    fields = _fields(path)
    # The type of a backend is a part of pydantic's location, but not a key of the file.
    parts = path[:2] + path[3:] if path[0] == "backend" else path
    key = ".".join(_quoted(part) for part in parts)
    if detail["type"] in ("union_tag_not_found", "union_tag_invalid"):
        return UsageError("setting_invalid", f"{origin}: {key} has no type that there is", f"write {_TYPES}")
    if detail["type"] == "missing":
        return UsageError("setting_invalid", f"{origin}: {key} is missing", _remedy(fields, path[-1]))
    if detail["type"] == "extra_forbidden":
        return UsageError("setting_unknown", f"{origin}: there is no setting {key}", _suggestion(path[-1], fields))
    reason = detail["msg"].removeprefix("Value error, ")
    reason = f"{reason[:1].lower()}{reason[1:]}"
    return UsageError("setting_invalid", f"{origin}: {key} cannot be used: {reason}", _remedy(fields, path[-1]))


def _fields(path: list[str]) -> Fields:
    """The keys that are allowed in the table that contains the last part of the path."""
    if path[0] != "backend":
        return Calls.model_fields
    if path[3:4] == ["apps"] and len(path) > 5:
        return App.model_fields
    return BACKENDS[path[2]].model_fields if len(path) > 2 and path[2] in BACKENDS else {}


def _remedy(fields: Fields, name: str) -> str:
    if name in fields and name != "type":
        return f"give {form_of(fields[name]).accepts}"
    return "see the tables in docs/configuration.md"


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}; remove this one"


def _quoted(part: str) -> str:
    return part if part.replace("_", "").replace("-", "").isalnum() else f'"{part}"'
