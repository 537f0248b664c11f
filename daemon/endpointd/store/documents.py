"""Converts settings to the two texts that are stored, and back: JSON with null for each secret, and sealed secrets."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from endpointd.callers.reading import read_rules
from endpointd.callers.rules import KEYS, CallerRules
from endpointd.errors import OperatorError
from endpointd.sealing.keyring import Keyring, KeyUnknown, SealBroken
from endpointd.store.records import EndpointRecord

_DEEPEST = 100
"""The most levels of lists and objects. Python's JSON parser fails at about a thousand."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Settings as they are stored. `settings` is a JSON object. `sealed` is one too, with the sealed text of each
    secret, or null for a secret without a value.

    `key` is the id of the key with which they are sealed, None if nothing is. Both texts are ASCII: characters that
    databases refuse (NUL, lone surrogates) are escaped.
    """

    settings: str
    sealed: str
    key: str | None


def keep(record: EndpointRecord, keys: Keyring) -> Kept:
    """The settings of a record as they are stored. Raises `OperatorError` `settings_unstorable` for a value that JSON
    would not preserve."""
    for name, value in record.settings.items():
        if not isinstance(name, str) or not _comes_back(value):
            raise _unstorable(record, str(name))
    plain = {name: None if name in record.secrets else value for name, value in record.settings.items()}
    sealed = {name: _sealed(record, name, keys) for name in sorted(record.secrets)}
    return Kept(
        _written(record, plain), json.dumps(sealed), keys.first if any(text for text in sealed.values()) else None
    )


def settings_of(endpoint_id: str, settings: str, sealed: str, keys: Keyring) -> tuple[dict[str, Any], frozenset[str]]:
    """The settings of one endpoint, and the names of the secret ones. Raises `OperatorError` if they cannot be read."""
    try:
        values: dict[str, Any] = json.loads(settings)
        texts: Mapping[str, str | None] = json.loads(sealed)
        for name, text in texts.items():
            if text is not None:
                values[name] = json.loads(keys.unseal(text, "endpoint", endpoint_id, name))
    except KeyUnknown as error:
        raise OperatorError(
            "secret_key_wrong",
            f"secrets of the endpoint {endpoint_id} are sealed with the key {error.key_id}, which is not there",
            "put the key file back that belongs to this database; if it was changed meanwhile, start the daemon again",
        ) from None
    except (SealBroken, ValueError, TypeError, AttributeError):
        # Without the cause, because its text may quote a secret.
        raise damaged(endpoint_id) from None
    return values, frozenset(texts)


def kept_rules(rules: CallerRules) -> str:
    """The rules as they are stored: a JSON object, in ASCII."""
    return json.dumps(rules.document())


def rules_of(endpoint_id: str, text: str) -> CallerRules:
    """The rules from a stored text. Raises `OperatorError` if it is damaged: an endpoint whose rules cannot be read
    must not become open to everybody."""
    try:
        document = json.loads(text)
    except ValueError:
        raise damaged(endpoint_id) from None
    if not isinstance(document, dict):
        raise damaged(endpoint_id)
    rules, faults = read_rules(document)
    if faults or document.keys() - set(KEYS):
        raise damaged(endpoint_id)
    return rules


def damaged(endpoint_id: str) -> OperatorError:
    """The error for an endpoint whose stored data cannot be read."""
    return OperatorError(
        "endpoint_damaged",
        f"what is kept for the endpoint {endpoint_id} was changed by others, and cannot be read",
        "put back a copy of the database, or remove the endpoint from it and make it anew",
    )


def _sealed(record: EndpointRecord, name: str, keys: Keyring) -> str | None:
    if name not in record.settings:
        return None
    return keys.seal(_written(record, record.settings[name], name), "endpoint", record.id, name)


def _written(record: EndpointRecord, value: object, name: str = "") -> str:
    try:
        return json.dumps(value)
    except ValueError:
        # An integer of more than 4300 digits.
        raise _unstorable(record, name) from None


def _comes_back(value: object, depth: int = 1) -> bool:
    """Whether a value is the same after it was written as JSON and read again. (A tuple would become a list, the key 1
    would become "1".)"""
    if isinstance(value, list):
        return depth < _DEEPEST and all(_comes_back(each, depth + 1) for each in value)
    if isinstance(value, dict):
        return depth < _DEEPEST and all(
            isinstance(key, str) and _comes_back(each, depth + 1) for key, each in value.items()
        )
    return value is None or isinstance(value, bool | int | float | str)


def _unstorable(record: EndpointRecord, name: str) -> OperatorError:
    return OperatorError(
        "settings_unstorable",
        f"the settings of {record.name!r} cannot be kept{f': {name!r} holds something' if name else ': they hold what'}"
        " that JSON cannot",
        "give texts, numbers, booleans, lists and objects of these, not nested too deeply",
    )
