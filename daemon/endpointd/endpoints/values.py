"""The values of an endpoint's settings: which the plugin is given, whether they do, which are secret. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from endpointd.manifest.model import Plugin, SettingType
from endpointd.manifest.values import Fault, check_values, fill_defaults
from endpointd.sealing.masking import MASK
from endpointd.store.records import EndpointRecord
from endpointd_wire.frames import pack_value

LARGEST = 256 * 1024
"""Bytes that the settings of one endpoint may have. They go to the worker with each request, in a frame of 1 MiB that
has to hold the request's head too."""

LONGEST_KEY = 200
"""Characters of a key that a fault repeats."""


def secret_names(plugin: Plugin) -> frozenset[str]:
    return frozenset(one.name for one in plugin.settings if one.type is SettingType.SECRET_INPUT)


def given_values(plugin: Plugin, values: Mapping[str, Any]) -> dict[str, Any]:
    """What the plugin gets: the values of settings that it declares, and the defaults of those that have none.

    Values of settings that it does not declare any more are kept, because a rollback may want them, but are not given.
    """
    names = {setting.name for setting in plugin.settings}
    declared = {name: value for name, value in values.items() if name in names and value is not None}
    return fill_defaults(plugin.settings, declared)


def faults_of(plugin: Plugin, values: Mapping[str, Any], submitted: Iterable[str] = ()) -> tuple[Fault, ...]:
    """All that keeps the plugin from being given these values; `submitted` are the names that are new, and that it has
    to declare. Those of settings come first, in the order of their declaration."""
    names = dict.fromkeys(setting.name for setting in plugin.settings)
    declared = {name: values[name] for name in names if values.get(name) is not None}
    strange = {name: None for name in submitted if name not in names}
    faults = list(check_values(plugin.settings, declared | strange))
    faulty = {fault.key for fault in faults}
    faults += _too_large(given_values(plugin, {name: one for name, one in declared.items() if name not in faulty}))
    return tuple(
        replace(fault, key=f"settings.{fault.key[:LONGEST_KEY]}" if fault.key else "settings") for fault in faults
    )


def _too_large(given: Mapping[str, Any]) -> Iterator[Fault]:
    """How large they are is not said: there may be a secret among them whose length is nobody's business."""
    if len(pack_value(given)) > LARGEST:
        message = f"they have more than {LARGEST} bytes"
        yield Fault("", "values_too_large", message, "give large things to the plugin in a file of its own")


def is_same(one: object, other: object) -> bool:
    """Whether a plugin sees no difference. To Python 1 and true are equal, to a plugin they are not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return type(one) is type(other) and one == other


def merged(current: Mapping[str, Any], changes: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """`current` with what was submitted: a null removes, a secret that comes back as its mask is kept as it was, and
    what was not submitted stays."""
    kept = {name for name in secrets if name in current}
    changes = {name: value for name, value in changes.items() if not (value == MASK and name in kept)}
    return {name: value for name, value in {**current, **changes}.items() if value is not None}


def brought_in(before: Mapping[str, Any], submitted: Iterable[str], after: Mapping[str, Any]) -> list[str]:
    """The names of what was submitted to which somebody has to answer: not what stays as it is, or is removed."""
    return [
        name for name in submitted if name not in before or (name in after and not is_same(after[name], before[name]))
    ]


def masked_by_mistake(values: Mapping[str, Any], secrets: Iterable[str]) -> tuple[Fault, ...]:
    """Secrets whose value is the mask, which somebody has copied from where a secret was shown."""
    message, remedy = "this is what is shown in the place of a secret", "give the secret itself"
    names = sorted(name for name in secrets if values.get(name) == MASK)
    return tuple(Fault(f"settings.{name}", "value_masked", message, remedy) for name in names)


def secrets_in(plugin: Plugin, values: Mapping[str, Any], before: EndpointRecord | None = None) -> frozenset[str]:
    """The names of the values that are to be sealed. What was secret stays so until it has another value, also when a
    new version of the plugin calls it a text."""
    old = frozenset[str]() if before is None else before.secrets & before.settings.keys()
    untouched = {name for name in old if before is not None and is_same(values.get(name), before.settings[name])}
    return frozenset(name for name in values if name in secret_names(plugin) or name in untouched)


def shown_values(record: EndpointRecord, plugin: Plugin | None) -> dict[str, Any]:
    """The settings as anybody may see them: each secret as the same mask, each declared one without a value as null."""
    secrets = record.secrets | (secret_names(plugin) if plugin is not None else frozenset())
    names = dict.fromkeys([*(setting.name for setting in plugin.settings)] if plugin is not None else [])
    names.update(dict.fromkeys(record.settings))
    return {
        name: MASK if name in secrets and record.settings.get(name) is not None else record.settings.get(name)
        for name in names
    }
