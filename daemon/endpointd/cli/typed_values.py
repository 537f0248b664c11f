"""What people type for settings, as values of the settings' types. Pure.

Nothing here judges a value beyond its form: that is the daemon's, whoever asks.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.views import SettingView
from endpointd.errors import UsageError
from endpointd.manifest.suggestions import meant
from endpointd.manifest.values import Fault

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_TEXTS = frozenset({"text-input", "secret-input", "select"})


@dataclass(frozen=True, slots=True)
class Assignments:
    """What the options of a command say, as they were typed: `KEY=VALUE`, `KEY=PATH`, `KEY`."""

    values: Sequence[str] = ()
    files: Sequence[str] = ()
    removed: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.values or self.files or self.removed)


def read_assignments(given: Assignments, settings: Sequence[SettingView], read: Callable[[str], str]) -> dict[str, Any]:
    """The values by the settings' names; what is to be removed is None. `read` gives the text of a file.

    UsageError: a setting is named twice, or without a value. EndpointInvalid: all that does not fit its type.
    """
    texts = dict(_pairs("--set", given.values))
    files = {key: read(path) for key, path in _pairs("--set-file", given.files)}
    twice = [*_repeated([*_keys(given.values), *_keys(given.files), *given.removed])]
    if twice:
        raise UsageError("setting_twice", f"{', '.join(twice)}: more than one value is given", "give one of them")
    return {**typed({**texts, **files}, settings), **dict.fromkeys(given.removed)}


def typed(texts: Mapping[str, str], settings: Iterable[SettingView]) -> dict[str, Any]:
    """EndpointInvalid: all that does not fit its type, or is no setting of the plugin."""
    known = {setting.name: setting for setting in settings}
    values, faults = {}, []
    for name, text in texts.items():
        if name not in known:
            remedy = meant(name, known) if known else "the plugin has no settings"
            faults.append(Fault(f"settings.{name}", "setting_unknown", "the plugin declares no such setting", remedy))
            continue
        try:
            values[name] = typed_value(known[name], text)
        except ValueError as error:
            faults.append(Fault(f"settings.{name}", "value_type", "the value cannot be read", str(error)))
    if faults:
        raise EndpointInvalid(faults)
    return values


def typed_value(setting: SettingView, text: str) -> object:
    """ValueError: it cannot be one; says what can. What is neither a text nor a switch is JSON."""
    if setting.type in _TEXTS:
        return text
    if setting.type == "boolean":
        if text.lower() not in _TRUE | _FALSE:
            raise ValueError("give true or false")
        return text.lower() in _TRUE
    try:
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        if setting.type == "any":
            return text
        if setting.type == "app-selector":
            return {"app_id": text}
        raise ValueError("""give JSON such as '{"provider": "…", "model": "…", "model_type": "llm"}'""") from None


def _no_number(word: str) -> object:
    raise ValueError(f"{word} is no number that JSON has")


def shown_secrets(given: Assignments, settings: Iterable[SettingView]) -> list[str]:
    """The secrets that stand on the command line, where every user of the machine can read them."""
    secrets = {setting.name for setting in settings if setting.type == "secret-input"}
    return [key for key in _keys(given.values) if key in secrets]


def _pairs(option: str, words: Iterable[str]) -> Iterable[tuple[str, str]]:
    for word in words:
        key, sign, value = word.partition("=")
        if not sign or not key:
            # The word may be a secret whose name was forgotten.
            raise UsageError(
                "assignment_invalid", f"{option} has a value without KEY= before it", f"write {option} KEY=…"
            )
        yield key, value


def _keys(words: Iterable[str]) -> list[str]:
    return [word.partition("=")[0] for word in words]


def _repeated(names: Sequence[str]) -> Iterable[str]:
    return dict.fromkeys(name for name in names if names.count(name) > 1)
