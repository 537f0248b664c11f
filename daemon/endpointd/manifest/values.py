"""Checks the values that are given for a plugin's settings, and fills in declared defaults.

All faults are found at once: first those of declared settings, in the order of their declaration, then unknown keys. No
message contains a given value, because it may be a secret.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice

from endpointd.manifest.model import Setting, SettingType
from endpointd.manifest.suggestions import meant
from endpointd_wire.frames import pack_value

MAX_VALUES = 64
DEEPEST = 32
"""The most levels of lists and objects in one value."""

_MODEL_KEYS = ("provider", "model", "model_type")
_MODEL_KEYS_BY_SCOPE = {
    "rerank": ("score_threshold", "top_n"),
    "tts": ("voice",),
    "vision": ("completion_params",),
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in a set of values. `key` is the setting's name, or empty if the fault is about all of them."""

    key: str
    code: str
    message: str
    remedy: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{key}{self.message}; {self.remedy} [{self.code}]"


def fill_defaults(settings: Sequence[Setting], values: Mapping[str, object]) -> dict[str, object]:
    """A new dict with a deep copy of the values, and the declared default for each that is absent or null."""
    filled = deepcopy(dict(values))
    for setting in settings:
        if setting.default is not None and filled.get(setting.name) is None:
            filled[setting.name] = deepcopy(setting.default)
    return filled


def check_values(settings: Sequence[Setting], values: Mapping[str, object]) -> tuple[Fault, ...]:
    """All faults in the values. If there are none, the values can be given to the plugin after `fill_defaults`.

    A null counts as absent. An empty text satisfies `required`, and so does a default.
    """
    return tuple(_faults(settings, values))


def check_value(setting: Setting, value: object) -> Iterator[Fault]:
    """The faults of one value, which is not null."""
    # First, because the other checks recurse through the levels.
    if _is_too_deep(value):
        yield Fault(setting.name, "value_too_deep", "it is nested too deeply", f"use at most {DEEPEST} levels")
    elif not is_sendable(value):
        message = "it is, or holds, what cannot be given to a plugin"
        remedy = "give texts in Unicode, numbers, booleans, lists and objects of these"
        yield Fault(setting.name, "value_unsendable", message, remedy)
    else:
        yield from _CHECKS.get(setting.type, _anything)(setting, value)


def _faults(settings: Sequence[Setting], values: Mapping[str, object]) -> Iterator[Fault]:
    if len(values) > MAX_VALUES:
        message = f"{len(values)} values are given, and {MAX_VALUES} is the most"
        yield Fault("", "too_many_values", message, "give only the settings that the plugin declares")
    for setting in settings:
        value = values.get(setting.name)
        if value is not None:
            yield from check_value(setting, value)
        elif setting.required and setting.default is None:
            yield Fault(setting.name, "value_missing", "a value is required", f"give {_wanted(setting)}")
    names = dict.fromkeys(setting.name for setting in settings)
    # Limited, because finding a suggestion for each takes time, and nobody reads more.
    for key in islice((key for key in values if key not in names), MAX_VALUES):
        remedy = meant(key, names) if names else "remove it: the plugin has no settings"
        yield Fault(key, "setting_unknown", "the plugin declares no such setting", remedy)


def _is_too_deep(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST + 1):
        if not level:
            return False
        lists = [each for each in level if isinstance(each, list | tuple)]
        objects = [each for each in level if isinstance(each, Mapping)]
        level = [item for one in lists for item in one] + [item for one in objects for item in one.values()]
    return bool(level)


def is_sendable(value: object) -> bool:
    """Whether the value can be written as JSON and sent to a worker. It must not be nested too deeply (`DEEPEST`)."""
    try:
        # NaN and infinity exist in msgpack, but not in JSON.
        json.dumps(value, allow_nan=False)
        pack_value(value)
    except (TypeError, ValueError, OverflowError):
        return False
    return True


def _wanted(setting: Setting) -> str:
    match setting.type:
        case SettingType.BOOLEAN:
            return "true or false"
        case SettingType.SELECT:
            return f"one of {', '.join(option.value for option in setting.options)}"
        case SettingType.APP_SELECTOR:
            return "an object with 'app_id'"
        case SettingType.MODEL_SELECTOR:
            return f"an object with {', '.join(map(repr, _model_keys(setting)))}"
        case SettingType.TEXT_INPUT | SettingType.SECRET_INPUT:
            return "a text"
        case _:
            return "a value"


def _anything(_setting: Setting, _value: object) -> Iterator[Fault]:
    return iter(())


def _text(setting: Setting, value: object) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield _mistyped(setting, value)


def _select(setting: Setting, value: object) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield _mistyped(setting, value)
    elif value not in {option.value for option in setting.options}:
        message = "the value is not one of the options"
        yield Fault(setting.name, "value_not_an_option", message, f"give {_wanted(setting)}")


def _boolean(setting: Setting, value: object) -> Iterator[Fault]:
    if not isinstance(value, bool):
        yield _mistyped(setting, value)


def _app(setting: Setting, value: object) -> Iterator[Fault]:
    return _object(setting, value, ("app_id",))


def _model(setting: Setting, value: object) -> Iterator[Fault]:
    return _object(setting, value, _model_keys(setting))


def _object(setting: Setting, value: object, keys: Sequence[str]) -> Iterator[Fault]:
    if not isinstance(value, Mapping):
        yield _mistyped(setting, value)
        return
    for key in keys:
        if key not in value:
            yield Fault(setting.name, "value_incomplete", f"the object has no '{key}'", f"give {_wanted(setting)}")


def _model_keys(setting: Setting) -> tuple[str, ...]:
    scopes = [scope.strip() for scope in (setting.scope or "").split("&")]
    wanted = [key for scope in scopes for key in _MODEL_KEYS_BY_SCOPE.get(scope, ())]
    return (*_MODEL_KEYS, *dict.fromkeys(wanted))


def _mistyped(setting: Setting, value: object) -> Fault:
    names = {str: "a text", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "an object"}
    given = names.get(type(value), f"a {type(value).__name__}")
    message = f"the value is {given}, which {setting.type.described} cannot be"
    return Fault(setting.name, "value_type", message, f"give {_wanted(setting)}")


_CHECKS: Mapping[SettingType, Callable[[Setting, object], Iterator[Fault]]] = {
    SettingType.TEXT_INPUT: _text,
    SettingType.SECRET_INPUT: _text,
    SettingType.SELECT: _select,
    SettingType.BOOLEAN: _boolean,
    SettingType.APP_SELECTOR: _app,
    SettingType.MODEL_SELECTOR: _model,
}
