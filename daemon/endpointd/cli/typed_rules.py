"""Parses the options with rules for callers: `--allow-from`, `--rate` and `--cors KEY=VALUE`. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from endpointd.errors import UsageError

_SWITCHES = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_REMEDY = "write --cors origins=https://app.example.com, or --cors credentials=true"


@dataclass(frozen=True, slots=True)
class GivenRules:
    """The options as they were typed; None if not given."""

    allow_from: Sequence[str] | None = None
    rate: str | None = None
    cors: Sequence[str] | None = None

    def __bool__(self) -> bool:
        return any(given is not None for given in (self.allow_from, self.rate, self.cors))

    def document(self, before: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The rules to send to the daemon. Typed keys of `cors` are added to `before`, those that the endpoint has.
        Raises `UsageError`."""
        document: dict[str, Any] = {}
        if self.allow_from is not None:
            document["allow_from"] = _words(",".join(self.allow_from))
        if self.rate is not None:
            document["rate"] = self.rate
        if self.cors is not None:
            document["cors"] = _cors(self.cors, before or {})
        return document


def _cors(texts: Sequence[str], before: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    if len(texts) == 1 and texts[0] in ("", "none"):
        return texts[0]
    typed: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise UsageError("assignment_invalid", f"--cors {text!r} has no key", _REMEDY)
        if key in typed and isinstance(typed[key], list):
            typed[key] += _words(value)
        else:
            typed[key] = _value(key, value)
    # An empty value says that it is as everybody expects.
    return {key: value for key, value in {**before, **typed}.items() if value not in ("", [])}


def _value(key: str, text: str) -> Any:  # noqa: ANN401
    """The value for one key of `cors`: a boolean, a number, or a list of words. Text that is not a boolean or a number
    where one is expected stays text; the daemon refuses it."""
    if key == "credentials":
        return _SWITCHES.get(text.lower(), text)
    if key == "max_age":
        return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else text
    return _words(text)


def _words(text: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", text) if word]
