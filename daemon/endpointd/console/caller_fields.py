"""The form fields for the rules about who may call an endpoint: their texts for the present rules, and the rules that
were submitted. Pure.

The name of a field is also the key of its faults (see `callers.reading`).
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from endpointd.endpoints.views import EndpointView

SHOWN = "callers.shown"
"""A hidden field. A form without it comes from a page that is older than these fields, and changes no rules."""

_SWITCH = "cors.credentials"
_AGE = "cors.max_age"


class CallerField(NamedTuple):
    name: str
    label: str
    help: str


CALLER_FIELDS = (
    CallerField(
        "allow_from",
        "Addresses that may call",
        "Such as 192.0.2.0/24, 2001:db8::/32 or unix, with commas between; any for everybody.",
    ),
    CallerField("rate", "Rate", "Such as 10/s, 100/min burst 20, 1000/h overall, or unlimited."),
    CallerField(
        "cors.origins",
        "Pages that may call",
        "Their origins, such as https://app.example.com, with commas between; * for every page, none for no other.",
    ),
    CallerField("cors.methods", "Methods for pages", "Left empty, all that interfaces can have."),
    CallerField("cors.headers", "Headers from pages", "Left empty, all."),
    CallerField("cors.expose", "Headers for pages", "Those of answers that a page may read besides the usual ones."),
    CallerField(_AGE, "Seconds to remember", "How long a browser need not ask again whether a page may call."),
    CallerField(_SWITCH, "Pages may send cookies", "Not together with pages of every origin."),
)
LABELS = {field.name: field.label for field in CALLER_FIELDS}


def caller_texts(view: EndpointView | None) -> dict[str, str]:
    """The text of each field for an endpoint, by name; "true" for a checked checkbox."""
    if view is None:
        return {}
    rules = {"allow_from": view.allow_from, "rate": view.rate}
    rules |= {f"cors.{key}": value for key, value in (view.cors or {}).items()}
    return {name: _text(value) for name, value in rules.items() if value is not None}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def read_callers(form: Mapping[str, str]) -> dict[str, Any]:
    """The submitted rules, unchecked. An empty rule means that the daemon's settings apply."""
    if SHOWN not in form:
        return {}
    cors = {}
    for name, key in ((field.name, field.name.removeprefix("cors.")) for field in CALLER_FIELDS[2:]):
        text = form.get(name, "").strip()
        if text:
            cors[key] = _read(name, text)
    return {"allow_from": form.get("allow_from", ""), "rate": form.get("rate", ""), "cors": cors}


def _read(name: str, text: str) -> object:
    """The value of a field. An invalid number is returned as a text; the check of the rules will report it."""
    if name == _SWITCH:
        return text == "true"
    return int(text) if name == _AGE and re.fullmatch("[0-9]{1,9}", text) else text
