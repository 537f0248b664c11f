"""The values of an endpoint's settings: which ones the plugin gets, whether they are valid, which are secret. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from endpointd.manifest.model import Plugin, SettingType
from endpointd.manifest.values import Fault, check_values, fill_defaults
from endpointd.sealing.masking import MASK
from endpointd.store.records import EndpointRecord
from endpointd_wire.frames import pack_value

LARGEST = 256 * 1024
"""The most bytes of the settings of one endpoint. They are sent to the worker with each request, in a frame of at most
1 MiB that also contains the request's head."""

LONGEST_KEY = 200
"""The most characters of a key that are repeated in a fault."""


def secret_names(plugin: Plugin) -> frozenset[str]:
    """The names of the settings that the plugin declares as secret."""
    return frozenset(one.name for one in plugin.settings if one.type is SettingType.SECRET_INPUT)


def given_values(plugin: Plugin, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values that the plugin gets: those of the settings that it declares, and their defaults.

    Values of settings that this version does not declare stay stored, for a rollback, but are not passed to it.
    """
    names = {setting.name for setting in plugin.settings}
    declared = {name: value for name, value in values.items() if name in names and value is not None}
    return fill_defaults(plugin.settings, declared)


def faults_of(plugin: Plugin, values: Mapping[str, Any], submitted: Iterable[str] = ()) -> tuple[Fault, ...]:
    """What is wrong with these values for the plugin, in the order in which it declares the settings. `submitted` are
    the names that are newly given: it is a fault if the plugin does not declare one of them."""
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
    """A fault if the values are too large together. Their size is not mentioned: it would tell the length of a
    secret."""
    if len(pack_value(given)) > LARGEST:
        message = f"they have more than {LARGEST} bytes"
        yield Fault("", "values_too_large", message, "give large things to the plugin in a file of its own")


def is_same(one: object, other: object) -> bool:
    """Whether two values are equal and of the same types: in Python 1 == True, but to a plugin they differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    return type(one) is type(other) and one == other


def merged(current: Mapping[str, Any], changes: Mapping[str, Any], secrets: Iterable[str]) -> dict[str, Any]:
    """`current` with `changes` applied: a null removes a value, and the mask of a secret leaves it as it is."""
    kept = {name for name in secrets if name in current}
    changes = {name: value for name, value in changes.items() if not (value == MASK and name in kept)}
    return {name: value for name, value in {**current, **changes}.items() if value is not None}


def newly_given(before: Mapping[str, Any], submitted: Iterable[str], after: Mapping[str, Any]) -> list[str]:
    """The names in `submitted` whose values are new or have changed; not those that stay the same or are removed."""
    return [
        name for name in submitted if name not in before or (name in after and not is_same(after[name], before[name]))
    ]


def masked_by_mistake(values: Mapping[str, Any], secrets: Iterable[str]) -> tuple[Fault, ...]:
    """A fault for each secret whose value is the mask, copied from where the secret was shown."""
    message, remedy = "this is what is shown in the place of a secret", "give the secret itself"
    names = sorted(name for name in secrets if values.get(name) == MASK)
    return tuple(Fault(f"settings.{name}", "value_masked", message, remedy) for name in names)


def secrets_in(plugin: Plugin, values: Mapping[str, Any], before: EndpointRecord | None = None) -> frozenset[str]:
    """The names of the values to be sealed. A value that was secret stays so until it changes, even if a new version of
    the plugin declares it as plain text."""
    old = frozenset[str]() if before is None else before.secrets & before.settings.keys()
    untouched = {name for name in old if before is not None and is_same(values.get(name), before.settings[name])}
    return frozenset(name for name in values if name in secret_names(plugin) or name in untouched)


def shown_values(record: EndpointRecord, plugin: Plugin | None) -> dict[str, Any]:
    """The settings as they may be shown: each secret is masked, and each declared setting without a value is null."""
    secrets = record.secrets | (secret_names(plugin) if plugin is not None else frozenset())
    names = dict.fromkeys([*(setting.name for setting in plugin.settings)] if plugin is not None else [])
    names.update(dict.fromkeys(record.settings))
    return {
        name: MASK if name in secrets and record.settings.get(name) is not None else record.settings.get(name)
        for name in names
    }
