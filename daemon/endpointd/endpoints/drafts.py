"""Checks changes of endpoints: the record as it would be after a change, or all faults."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from endpointd.callers.reading import changed_rules, read_rules
from endpointd.callers.rules import KEYS, rules_in
from endpointd.endpoints.book import Book
from endpointd.endpoints.declared import Declared
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.hooks import faults_of_hook
from endpointd.endpoints.values import (
    faults_of,
    is_same,
    masked_by_mistake,
    merged,
    newly_given,
    secret_names,
    secrets_in,
)
from endpointd.errors import PluginUnknown, UsageError
from endpointd.manifest.model import Plugin
from endpointd.manifest.values import Fault
from endpointd.store.naming import new_hook_id, new_id
from endpointd.store.records import EndpointRecord, Origin, check_hook_id, check_name


@dataclass(frozen=True, slots=True)
class Draft:
    """The result of checking a change. `record` is None if there are `faults`."""

    record: EndpointRecord | None
    faults: tuple[Fault, ...] = ()

    def accepted(self) -> EndpointRecord:
        """The record. Raises `EndpointInvalid` if there are faults."""
        if self.record is None:
            raise EndpointInvalid(self.faults)
        return self.record


class Drafts:
    """Makes drafts. `book` has the other endpoints; `automatic` returns the plugin whose automatic endpoint has a hook
    id; `now` returns the seconds since the epoch."""

    def __init__(self, book: Book, automatic: Callable[[str], str | None], now: Callable[[], float]) -> None:
        self._book = book
        self._automatic = automatic
        self._now = now

    def new(self, wanted: Declared, plugin: Plugin, origin: Origin) -> Draft:
        """A new endpoint."""
        settings = {name: value for name, value in wanted.settings.items() if value is not None}
        faults = [
            *self._faults(wanted.name, wanted.hook_id, None),
            *masked_by_mistake(settings, secret_names(plugin)),
            *faults_of(plugin, settings, wanted.settings),
        ]
        callers, wrong = read_rules(wanted.callers)
        faults += wrong
        if faults:
            return Draft(None, tuple(faults))
        hook_id = self._free_hook_id() if wanted.hook_id is None else wanted.hook_id
        secrets, now = secrets_in(plugin, settings), self._now()
        return Draft(
            EndpointRecord(
                new_id(),
                hook_id,
                wanted.plugin,
                wanted.name,
                settings,
                secrets,
                wanted.enabled,
                origin,
                now,
                now,
                callers,
            )
        )

    def changed(
        self, before: EndpointRecord, wanted: Declared, submitted: Mapping[str, Any], plugin: Plugin | None
    ) -> Draft:
        """`before` with the name, hook id, `enabled` and rules of `wanted`, and with the settings in `submitted`.

        Without a plugin the settings cannot be checked; they stay as they are.
        """
        faults = list(self._faults(wanted.name, wanted.hook_id, before))
        settings, secrets = before.settings, before.secrets
        if plugin is not None:
            known = secret_names(plugin) | before.secrets
            settings = merged(before.settings, submitted, known)
            new = newly_given(before.settings, submitted, settings)
            faults += masked_by_mistake({name: settings.get(name) for name in new}, known)
            faults += faults_of(plugin, settings, new)
            secrets = secrets_in(plugin, settings, before)
        callers, wrong = changed_rules(before.callers, wanted.callers)
        faults += wrong
        if faults:
            return Draft(None, tuple(faults))
        hook_id = before.hook_id if wanted.hook_id is None else wanted.hook_id
        return Draft(
            replace(
                before,
                hook_id=hook_id,
                name=wanted.name,
                settings=settings,
                secrets=secrets,
                enabled=wanted.enabled,
                updated_at=self._now(),
                callers=callers,
            )
        )

    def declared(
        self, before: EndpointRecord | None, wanted: Declared, plugin: Plugin | None, known: Collection[str]
    ) -> Draft:
        """An endpoint as a file declares it; `before` is None for a new one. Settings and rules that the file does not
        mention are removed. `known` are the ids of all plugins."""
        if before is None:
            return _unknown_plugin(wanted.plugin, known) if plugin is None else self.new(wanted, plugin, "file")
        submitted = {name: wanted.settings.get(name) for name in {**before.settings, **wanted.settings}}
        touched = {name: value for name, value in submitted.items() if not is_same(value, before.settings.get(name))}
        if plugin is None and needs_plugin(before, touched, wanted.enabled):
            return _unknown_plugin(wanted.plugin, known)
        # Rules that the file does not mention are removed too.
        wanted = replace(wanted, callers=dict.fromkeys(KEYS, "") | rules_in(wanted.callers))
        # Unlike in a form, a mask in a file does not mean "leave the secret as it is".
        masks = masked_by_mistake(touched, before.secrets | (secret_names(plugin) if plugin is not None else set()))
        return Draft(None, masks) if masks else self.changed(before, wanted, submitted, plugin)

    def _faults(self, name: str, hook_id: str | None, before: EndpointRecord | None) -> Iterable[Fault]:
        yield from _refused("name", name, check_name)
        if hook_id is not None and (before is None or hook_id != before.hook_id):
            malformed = _refused("hook_id", hook_id, check_hook_id)
            yield from malformed or faults_of_hook(hook_id, self._book, self._automatic)

    def _free_hook_id(self) -> str:
        while True:
            hook_id = new_hook_id()
            if not faults_of_hook(hook_id, self._book, self._automatic):
                return hook_id


def needs_plugin(before: EndpointRecord, submitted: Mapping[str, Any], enabled: bool | None) -> bool:
    """Whether a change can only be checked with the plugin. Disabling or renaming an endpoint needs no plugin."""
    return bool(submitted) or (enabled is True and not before.enabled)


def is_as_before(before: EndpointRecord, after: EndpointRecord) -> bool:
    """Whether nothing but `updated_at` would change."""
    is_alike = replace(after, updated_at=before.updated_at) == before
    return is_alike and is_same(dict(after.settings), dict(before.settings))


def faults_of_names(declared: Sequence[Declared]) -> tuple[Fault, ...]:
    """A fault for each endpoint with the same plugin and name as an earlier one: existing endpoints are matched by
    these."""
    first: dict[tuple[str, str], int] = {}
    faults = []
    for index, one in enumerate(declared):
        known = first.setdefault((one.plugin, one.name), index)
        if known != index:
            message = f"endpoints[{known}] is of the same plugin and has the same name"
            faults.append(Fault(f"endpoints[{index}].name", "endpoint_twice", message, "give one of them another name"))
    return tuple(faults)


def _refused(key: str, value: str, check: Callable[[str], None]) -> tuple[Fault, ...]:
    try:
        check(value)
    except UsageError as error:
        return (Fault(key, error.code, error.message, error.remedy),)
    return ()


def _unknown_plugin(plugin_id: str, known: Collection[str]) -> Draft:
    error = PluginUnknown(plugin_id, known)
    return Draft(None, (Fault("plugin", error.code, error.message, error.remedy),))
