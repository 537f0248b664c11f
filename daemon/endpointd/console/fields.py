"""Form fields for a plugin's settings: made from the declared settings, and read from a submitted form. Pure.

Fields never contain a secret, neither a stored nor a submitted one.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from endpointd.console.language import Text, pick
from endpointd.endpoints.views import SettingView
from endpointd.manifest.values import Fault
from endpointd.sealing.masking import MASK

PREFIX = "settings."

MODEL_TYPES = ("llm", "text-embedding", "rerank", "tts", "speech2text", "moderation")
_MODEL_KEYS = ("provider", "model", "model_type")

_KINDS = {
    "text-input": "text",
    "secret-input": "secret",
    "select": "select",
    "boolean": "boolean",
    "app-selector": "app",
    "model-selector": "model",
}


@dataclass(frozen=True, slots=True)
class Choice:
    value: str
    label: Text
    chosen: bool


@dataclass(frozen=True, slots=True)
class Field:
    """The form field for one setting. `name` is the name of its first input, `value` is that input's value; `parts` are
    the values of further inputs.

    `kind` is "text", "lines", "secret", "select", "boolean", "app", "model" or "json". `stored`: the endpoint has a
    secret, which is not shown.
    """

    setting: str
    name: str
    kind: str
    required: bool
    label: Text
    help: Text | None
    placeholder: Text | None
    url: str | None
    value: str = ""
    parts: Mapping[str, str] | None = None
    choices: tuple[Choice, ...] = ()
    stored: bool = False
    faults: tuple[Fault, ...] = ()

    @property
    def id(self) -> str:
        return f"field-{self.name}"


def fields(
    settings: Sequence[SettingView],
    values: Mapping[str, Any] | None,
    languages: Sequence[str],
    submitted: Mapping[str, str] | None = None,
    faults: Iterable[Fault] = (),
) -> list[Field]:
    """The fields for `settings`. `values` are those of the endpoint, None for a new one; `submitted` is a form that was
    refused because of `faults`, if any. Texts are in the first of `languages` that has one."""
    found = list(faults)
    return [_field(one, values, languages, submitted, found) for one in settings]


def _field(
    setting: SettingView,
    values: Mapping[str, Any] | None,
    languages: Sequence[str],
    submitted: Mapping[str, str] | None,
    faults: Sequence[Fault],
) -> Field:
    name = PREFIX + setting.name
    kind = _KINDS.get(setting.type, "json")
    # A setting without a value gets its default anyway.
    current = values.get(setting.name) if values is not None else None
    shown = setting.default if current is None else current
    value, parts = _entered(kind, name, submitted) if submitted is not None else _shown(kind, shown)
    if parts is not None:
        parts["model_type"] = parts["model_type"] or _model_type(setting.scope)
    if kind == "text" and "\n" in _as_browsers_send(value):
        kind = "lines"
    return Field(
        setting.name,
        name,
        kind,
        setting.required,
        pick(setting.label, languages) or Text(setting.name, ""),
        pick(setting.help, languages),
        pick(setting.placeholder, languages),
        _safe(setting.url),
        value,
        parts,
        tuple(
            Choice(one.value, pick(one.label, languages) or Text(one.value, ""), one.value == value)
            for one in setting.options
        ),
        stored=kind == "secret" and current == MASK,
        faults=tuple(fault for fault in faults if fault.key == name),
    )


def _model_type(scope: str | None) -> str:
    """The first known type of model in the setting's scope; the first of all types if there is none."""
    wanted = [one.strip() for one in (scope or "").split("&")]
    return next((one for one in wanted if one in MODEL_TYPES), MODEL_TYPES[0])


def _safe(url: str | None) -> str | None:
    """The URL if it is one of a web page; else None, because it might run a script, or is not a URL at all."""
    return url if url is not None and url.startswith(("https://", "http://")) else None


def _shown(kind: str, value: Any) -> tuple[str, dict[str, str] | None]:  # noqa: ANN401 - whatever JSON holds
    if kind == "secret":
        return "", None
    if kind == "boolean":
        return ("true" if value is True else ""), None
    if kind == "app":
        return str(value.get("app_id", "") if isinstance(value, Mapping) else value or ""), None
    if kind == "model":
        return _model(value if isinstance(value, Mapping) else {})
    if kind == "json":
        return "" if value is None else json.dumps(value, ensure_ascii=False, indent=2), None
    return "" if value is None else str(value), None


def _model(value: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    more = {key: one for key, one in value.items() if key not in _MODEL_KEYS}
    parts = {key: str(value.get(key, "") or "") for key in _MODEL_KEYS}
    parts["more"] = json.dumps(more, ensure_ascii=False, indent=2) if more else ""
    return parts["provider"], parts


def _entered(kind: str, name: str, submitted: Mapping[str, str]) -> tuple[str, dict[str, str] | None]:
    if kind == "secret":
        return "", None
    if kind == "model":
        parts = {part: submitted.get(f"{name}.{part}", "") for part in (*_MODEL_KEYS, "more")}
        return parts["provider"], parts
    return submitted.get(name, ""), None


def entered_in_vain(settings: Sequence[SettingView], submitted: Mapping[str, str]) -> tuple[Fault, ...]:
    """A fault for each secret in a form that was refused: the field is empty when the form is shown again, and the user
    might think that the secret was saved."""
    message, remedy = "what was entered here was not saved, and is not shown", "enter it again"
    names = [PREFIX + one.name for one in settings if _KINDS.get(one.type) == "secret"]
    return tuple(Fault(name, "secret_again", message, remedy) for name in names if submitted.get(name))


# Reading submitted forms


def read(
    settings: Sequence[SettingView], values: Mapping[str, Any] | None, submitted: Mapping[str, str]
) -> tuple[dict[str, Any], tuple[Fault, ...]]:
    """The values in a submitted form, by setting (None removes a value), and a fault for each that is not valid JSON.
    `values` is as in `fields`.

    Values that do not change are left out: a secret for which nothing was entered (unless it is to be removed), and an
    unchanged text. So are fields that were not submitted at all, so that a form from before an upgrade of the plugin
    does not remove values of new settings.
    """
    given: dict[str, Any] = {}
    faults: list[Fault] = []
    for setting in settings:
        name = PREFIX + setting.name
        if f"{name}.shown" not in submitted:
            continue
        current = values.get(setting.name) if values is not None else None
        try:
            value = _value(setting, name, current, submitted)
        except ValueError as error:
            faults.append(Fault(name, "value_not_json", str(error), 'write JSON, such as {"key": "value"}'))
            continue
        if value is not _KEEP:
            given[setting.name] = value
    return given, tuple(faults)


_KEEP = object()


def _value(setting: SettingView, name: str, current: Any, submitted: Mapping[str, str]) -> Any:  # noqa: ANN401
    """The submitted value of a setting: None to remove it, `_KEEP` to leave it as it is. Raises ValueError."""
    text = _as_browsers_send(submitted.get(name, ""))
    match _KINDS.get(setting.type, "json"):
        case "secret":
            if text:
                return text
            return None if submitted.get(f"{name}.remove") else _KEEP if current == MASK else None
        case "boolean":
            return text == "true"
        case "text":
            if isinstance(current, str) and text == _as_browsers_send(current):
                # The text is unchanged. Keep it as it is, because browsers may have changed its line breaks.
                return _KEEP
            # An empty text removes the value. If that would bring back a default, the empty text is stored instead.
            return text if text or (setting.default not in (None, "") and not setting.required) else None
        case "select":
            return text or None
        case "app":
            return _app(text, current)
        case "model":
            return _read_model(name, submitted)
        case _:
            return _json(text)


def _as_browsers_send(text: str) -> str:
    """The text with all line breaks as "\\n". Browsers send all kinds of line breaks as CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _app(text: str, current: Any) -> Any:  # noqa: ANN401
    """The value for an app's id. Other keys of the current value are kept."""
    if not text.strip():
        return None
    return {**(current if isinstance(current, Mapping) else {}), "app_id": text.strip()}


def _read_model(name: str, submitted: Mapping[str, str]) -> Any:  # noqa: ANN401
    parts = {key: submitted.get(f"{name}.{key}", "").strip() for key in _MODEL_KEYS}
    more = _json(submitted.get(f"{name}.more", ""))
    if not parts["provider"] and not parts["model"] and not more:
        return None
    if more is not None and not isinstance(more, dict):
        raise ValueError("the further keys are no JSON object")
    return {**{key: value for key, value in parts.items() if value}, **(more or {})}


def _json(text: str) -> Any:  # noqa: ANN401
    if not text.strip():
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
        raise ValueError(f"this is not JSON{where}") from None
