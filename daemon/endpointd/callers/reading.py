"""Reads an endpoint's rules from a document, and reports all faults in them at once. Pure.

`""`, `[]` and `{}` remove a rule, so that the daemon's settings apply.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from endpointd.callers.networks import read_network
from endpointd.callers.origins import NONE, read_origin
from endpointd.callers.rates import kept_rate
from endpointd.callers.rules import KEYS, CallerRules, CorsRule
from endpointd.manifest.findings import shown
from endpointd.manifest.suggestions import meant
from endpointd.manifest.values import Fault

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
"""The methods that an interface can have."""

MOST = 256
"""The largest number of items in a list."""
_LONGEST = 300
"""The largest number of characters of an item; longer texts are not matched against regular expressions."""
_LONGEST_AGE = 86_400
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CORS_KEYS = ("origins", "methods", "headers", "expose", "credentials", "max_age")


def read_rules(document: Mapping[str, Any]) -> tuple[CallerRules, tuple[Fault, ...]]:
    """The rules in a document, and their faults. If there are any, the rules must not be used. Other keys of the
    document are ignored."""
    reader = _Reader()
    rules = CallerRules(
        reader.texts("allow_from", document.get("allow_from"), read_network, _NETWORKS) or None,
        reader.rate(document.get("rate")),
        reader.cors(document.get("cors")),
    )
    return rules, tuple(reader.faults)


def changed_rules(before: CallerRules, document: Mapping[str, Any]) -> tuple[CallerRules, tuple[Fault, ...]]:
    """The rules `before`, changed by those in a document, and their faults. Rules that are missing in the document
    remain."""
    read, faults = read_rules(document)
    said = {key: getattr(read, key) for key in KEYS if document.get(key) is not None}
    stays = {key: getattr(before, key) for key in KEYS}
    return CallerRules(**(stays | said)), faults


_NETWORKS = "give addresses or networks such as 192.0.2.0/24 or 2001:db8::/32, or unix, or any"
_ORIGINS = "give origins such as https://app.example.com, or * for all pages, or none"
_RATE = "give a rate such as 10/s, 100/min burst 20, 1000/h overall, or unlimited"
_HEADERS = "give names of headers such as Authorization"


class _Reader:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def texts(self, key: str, value: object, read: Callable[[str], str], remedy: str) -> tuple[str, ...]:
        """The items of a list of texts, or of one text separated by commas or blanks. Each invalid item is a separate
        fault."""
        parts = re.split(r"[\s,]+", value.strip()) if isinstance(value, str) else value
        if parts is None:
            return ()
        if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
            self._fault(key, "wrong_type", "it is no list of texts", remedy)
            return ()
        if len(parts) > MOST:
            self._fault(key, "caller_rule_invalid", f"it has {len(parts)} items, and {MOST} is the most", "give fewer")
            return ()
        found: dict[str, None] = {}
        for part in filter(None, map(str.strip, parts)):
            try:
                found[read(_short(part))] = None
            except ValueError as error:
                self._fault(key, "caller_rule_invalid", f"{shown(part)}: {error}", remedy)
        return tuple(found)

    def rate(self, value: object) -> str | None:
        if value is None or (isinstance(value, str) and not value.strip()):
            return None
        if not isinstance(value, str):
            self._fault("rate", "wrong_type", "it is no text", _RATE)
            return None
        try:
            return kept_rate(_short(value))
        except ValueError as error:
            self._fault("rate", "caller_rule_invalid", f"{shown(value)}: {error}", _RATE)
            return None

    def cors(self, value: object) -> CorsRule | None:
        if value is None or value in ("", {}, []):
            return None
        if value == NONE:
            return CorsRule()
        if isinstance(value, str | list):
            value = {"origins": value}
        if not isinstance(value, Mapping):
            self._fault("cors", "wrong_type", "it is no mapping", "write origins: and which pages may call")
            return None
        for name in value:
            if name not in _CORS_KEYS:
                self._fault(
                    f"cors.{str(name)[:200]}", "key_unknown", "there is no such key", meant(str(name), _CORS_KEYS)
                )
        rule = CorsRule(
            self._origins(value.get("origins")),
            self._names(value, "methods", _read_method, f"give some of {', '.join(METHODS)}"),
            self._names(value, "headers", _read_header, _HEADERS),
            self._names(value, "expose", _read_header, _HEADERS),
            self._switch(value.get("credentials")),
            self._age(value.get("max_age")),
        )
        if rule.credentials and "*" in rule.origins:
            message = "with credentials every page could act in the name of whoever looks at it"
            self._fault("cors.credentials", "cors_too_open", message, "name the origins, or leave credentials away")
        return rule

    def _origins(self, value: object) -> tuple[str, ...]:
        if value == NONE or value == [NONE]:
            return ()
        found = self.texts("cors.origins", value, read_origin, _ORIGINS)
        if not found and not any(fault.key == "cors.origins" for fault in self.faults):
            self._fault("cors.origins", "caller_rule_invalid", "it names no origin", _ORIGINS)
        return found

    def _names(
        self, value: Mapping[str, Any], key: str, read: Callable[[str], str], remedy: str
    ) -> tuple[str, ...] | None:
        return self.texts(f"cors.{key}", value.get(key), read, remedy) or None

    def _switch(self, value: object) -> bool:
        if value is not None and not isinstance(value, bool):
            self._fault("cors.credentials", "wrong_type", "it is neither true nor false", "give true or false")
        return value is True

    def _age(self, value: object) -> int | None:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LONGEST_AGE:
            message = f"it is no whole number of seconds from 0 to {_LONGEST_AGE}"
            self._fault("cors.max_age", "caller_rule_invalid", message, "give one such as 600")
            return None
        return value

    def _fault(self, key: str, code: str, message: str, remedy: str) -> None:
        self.faults.append(Fault(key, code, message, remedy))


def _short(text: str) -> str:
    if len(text) > _LONGEST:
        raise ValueError(f"it has {len(text)} characters, and {_LONGEST} is the most")
    return text


def _read_method(text: str) -> str:
    method = text.upper()
    if method not in METHODS:
        raise ValueError("no interface can have this method")
    return method


def _read_header(text: str) -> str:
    if not _TOKEN.fullmatch(text):
        raise ValueError("no header has this name")
    return text
