"""Converts what people type for settings to values of the settings' types. Pure.

Values are checked by the daemon. Only if one cannot even be converted, so that the daemon cannot be asked, are the
others checked here, so that all faults are reported together.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.views import SettingView
from endpointd.errors import UsageError
from endpointd.manifest.model import Option, Setting, SettingType
from endpointd.manifest.values import Fault, check_values

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_TEXTS = frozenset({"text-input", "secret-input", "select"})
_TOOL = '{"provider_id": "…", "tool_name": "…"}'
_EXAMPLES = {
    "app-selector": '{"app_id": "…"}',
    "model-selector": '{"provider": "…", "model": "…", "model_type": "llm"}',
    "array[tools]": f"[{_TOOL}]",
    "tool-selector": _TOOL,
    "dataset-selector": '["…"]',
}
"""Examples for the types that are typed as JSON. For the last three only the plugin knows which values are valid."""


@dataclass(frozen=True, slots=True)
class Assignments:
    """The options of a command as they were typed: `KEY=VALUE`, `KEY=PATH`, `KEY`."""

    values: Sequence[str] = ()
    files: Sequence[str] = ()
    removed: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.values or self.files or self.removed)


def read_assignments(
    given: Assignments, settings: Sequence[SettingView], read: Callable[[str], str], *, is_whole: bool
) -> dict[str, Any]:
    """The values by the settings' names; what is to be removed is None. `read` gives the text of a file; `is_whole`
    tells that there will be no values but these.

    UsageError: a setting is named twice, or without a value. EndpointInvalid: all that is wrong, where a text is not of
    its type's form or a setting unknown.
    """
    texts = dict(_pairs("--set", given.values))
    files = {key: read(path) for key, path in _pairs("--set-file", given.files)}
    twice = [*_repeated([*_keys(given.values), *_keys(given.files), *given.removed])]
    if twice:
        raise UsageError("setting_twice", f"{', '.join(twice)}: more than one value is given", "give one of them")
    values, unreadable = _read({**texts, **files}, {setting.name: setting for setting in settings})
    if unreadable or values.keys() - {setting.name for setting in settings}:
        named = None if is_whole else {*values, *given.removed}
        raise EndpointInvalid(_all_faults(values, unreadable, settings, named))
    return {**values, **dict.fromkeys(given.removed)}


def _read(texts: Mapping[str, str], known: Mapping[str, SettingView]) -> tuple[dict[str, Any], dict[str, Fault]]:
    """The converted values, and the faults of those that cannot be converted."""
    values: dict[str, Any] = {}
    unreadable = {}
    for name, text in texts.items():
        try:
            values[name] = typed_value(known[name], text) if name in known else text
        except ValueError as error:
            unreadable[name] = Fault(name, "value_type", "the value cannot be read", str(error))
    return values, unreadable


def _all_faults(
    values: Mapping[str, Any],
    unreadable: Mapping[str, Fault],
    settings: Sequence[SettingView],
    named: Collection[str] | None,
) -> list[Fault]:
    """All faults, in the order of the declaration. Settings that are not `named` stay as they are and have no
    faults."""
    order = {one.name: place for place, one in enumerate(settings)}
    judged = [
        fault
        for fault in check_values([_declared(one) for one in settings], values)
        if fault.key not in unreadable and (named is None or not fault.key or fault.key in named)
    ]
    faults = sorted([*unreadable.values(), *judged], key=lambda fault: order.get(fault.key, len(order)))
    return [replace(fault, key=f"settings.{fault.key}" if fault.key else "settings") for fault in faults]


def _declared(view: SettingView) -> Setting:
    options = tuple(Option(one.value) for one in view.options)
    return Setting(view.name, SettingType(view.type), view.required, view.default, options, view.scope)


def typed_value(setting: SettingView, text: str) -> object:
    """ValueError: it cannot be one; says what can. What is neither a text nor a switch is JSON; an app may be its id
    alone, whatever that looks like."""
    if setting.type in _TEXTS:
        return text
    if setting.type == "boolean":
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError("give true or false")
        return text.lower() in _TRUE
    if setting.type == "app-selector" and not text.lstrip().startswith("{"):
        return {"app_id": text}
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        if setting.type == "any":
            return text
        raise ValueError(f"give JSON such as '{_EXAMPLES[setting.type]}'") from None


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no number that JSON has")


def shown_secrets(given: Assignments, settings: Iterable[SettingView]) -> list[str]:
    """The names of the secrets given on the command line, which every user of the machine can read."""
    secrets = {setting.name for setting in settings if setting.type == "secret-input"}
    return [key for key in _keys(given.values) if key in secrets]


def _pairs(option: str, words: Iterable[str]) -> Iterable[tuple[str, str]]:
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            # The word is not quoted: it may be a secret whose key was forgotten.
            raise UsageError(
                "assignment_invalid", f"{option} has a value without KEY= before it", f"write {option} KEY=…"
            )
        yield key, value


def _keys(words: Iterable[str]) -> list[str]:
    return [word.partition("=")[0] for word in words]


def _repeated(names: Sequence[str]) -> Iterable[str]:
    return dict.fromkeys(name for name in names if names.count(name) > 1)
