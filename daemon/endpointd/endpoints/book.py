"""All endpoints in memory: by id, by hook id and by plugin, and whether each suits its plugin. Pure.

The gateway and the plugins use this and never the store, so that no request waits for a database.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from endpointd.endpoints import Endpoint
from endpointd.endpoints.errors import EndpointMissing
from endpointd.endpoints.values import faults_of, given_values
from endpointd.gateway.problems import Problem
from endpointd.manifest.model import Plugin
from endpointd.manifest.values import Fault
from endpointd.store.records import EndpointRecord
from endpointd_wire.frames import pack_value


class Book:
    """The records of all endpoints. The caller keeps it equal to the store."""

    def __init__(self) -> None:
        self._by_id: dict[str, EndpointRecord] = {}
        self._by_hook: dict[str, EndpointRecord] = {}
        self._by_plugin: defaultdict[str, dict[str, EndpointRecord]] = defaultdict(dict)
        self._evaluations: dict[str, _Evaluation] = {}
        """A cache, by the endpoint's id: all endpoints of a plugin are asked for whenever one of them changes."""

    # Queries

    def all(self) -> list[EndpointRecord]:
        """All records, the oldest first."""
        return _oldest_first(self._by_id.values())

    def of(self, plugin_id: str) -> list[EndpointRecord]:
        """The records of one plugin, enabled or not, the oldest first."""
        return _oldest_first(self._by_plugin[plugin_id].values()) if plugin_id in self._by_plugin else []

    def get(self, endpoint_id: str) -> EndpointRecord:
        """The record with this id. Raises `EndpointMissing`."""
        record = self._by_id.get(endpoint_id)
        if record is None:
            raise EndpointMissing(endpoint_id)
        return record

    def has(self, endpoint_id: str) -> bool:
        return endpoint_id in self._by_id

    def at(self, hook_id: str) -> EndpointRecord | None:
        """The record with this hook id, enabled or not; None if there is none. Automatic endpoints have no record."""
        return self._by_hook.get(hook_id)

    def name_at(self, hook_id: str) -> str:
        """The name of the endpoint at this hook id; empty for an automatic one, which has no name."""
        record = self._by_hook.get(hook_id)
        return "" if record is None else record.name

    # Changes

    def put(self, record: EndpointRecord) -> None:
        """Add a record, or replace the one with the same id."""
        self.remove(record.id)
        self._by_id[record.id] = self._by_hook[record.hook_id] = self._by_plugin[record.plugin][record.id] = record

    def remove(self, endpoint_id: str) -> None:
        """Remove the record with this id, if there is one."""
        record = self._by_id.pop(endpoint_id, None)
        if record is not None:
            del self._by_hook[record.hook_id]
            self._evaluations.pop(endpoint_id, None)
            del self._by_plugin[record.plugin][endpoint_id]
            if not self._by_plugin[record.plugin]:
                del self._by_plugin[record.plugin]

    def change(self, removed: Iterable[str], records: Iterable[EndpointRecord]) -> None:
        """Remove and put several records as one change: a record may take over the hook id of another one."""
        records = list(records)
        for endpoint_id in (*removed, *(record.id for record in records)):
            self.remove(endpoint_id)
        for record in records:
            self.put(record)

    def replace_all(self, records: Iterable[EndpointRecord]) -> set[str]:
        """Replace all records by these. Returns the ids of the plugins for which something has changed."""
        before = self._by_id
        self._by_id, self._by_hook = {}, {}
        self._by_plugin.clear()
        self._evaluations.clear()
        for record in records:
            self.put(record)
        ids = before.keys() | self._by_id.keys()
        pairs = [(before.get(one), self._by_id.get(one)) for one in ids]
        return {record.plugin for old, new in pairs if old != new for record in (old, new) if record is not None}

    # What the records mean for a version of their plugin

    def endpoints_of(self, plugin: Plugin) -> list[Endpoint]:
        """The endpoints at which this version of a plugin answers: those that are enabled and whose settings are valid
        for it.

        To be called again when another version serves, and when an endpoint has changed.
        """
        enabled = (record for record in self.of(plugin.id) if record.enabled)
        found = (self._evaluate(record, plugin).endpoint for record in enabled)
        return [endpoint for endpoint in found if endpoint is not None]

    def incomplete(self, plugin: Plugin) -> list[tuple[EndpointRecord, Sequence[Fault]]]:
        """The endpoints that are enabled but whose settings are not valid for this version of their plugin, each with
        the faults."""
        found = [(record, self.faults(record, plugin)) for record in self.of(plugin.id) if record.enabled]
        return [(record, faults) for record, faults in found if faults]

    def faults(self, record: EndpointRecord, plugin: Plugin) -> tuple[Fault, ...]:
        """What is wrong with the settings of an endpoint for this version of its plugin."""
        return self._evaluate(record, plugin).faults

    def refusal(self, hook_id: str, plugin: Plugin | None) -> Problem | None:
        """Why the endpoint at this hook id does not answer; None if it does, or if there is no endpoint.

        `plugin` is the version that serves, None if there is none. Returns a new object each time, because the
        traceback of an exception that is raised again and again would grow without end.
        """
        record = self._by_hook.get(hook_id)
        if record is None:
            return None
        if not record.enabled:
            return Problem(404, "endpoint_disabled", "the endpoint is switched off", record.plugin)
        if plugin is None:
            return Problem(404, "plugin_unknown", "the plugin of this endpoint is not served", record.plugin)
        faults = self.faults(record, plugin)
        return _incomplete(plugin.id, faults) if faults else None

    def _evaluate(self, record: EndpointRecord, plugin: Plugin) -> "_Evaluation":
        known = self._evaluations.get(record.id)
        if known is None or known.record is not record or known.plugin is not plugin:
            known = self._evaluations[record.id] = _Evaluation.of(record, plugin)
        return known


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """What a record means for one version of its plugin: an endpoint, or faults."""

    record: EndpointRecord
    plugin: Plugin
    faults: tuple[Fault, ...]
    endpoint: Endpoint | None

    @classmethod
    def of(cls, record: EndpointRecord, plugin: Plugin) -> "_Evaluation":
        faults = faults_of(plugin, record.settings)
        if faults:
            return cls(record, plugin, faults, None)
        packed = pack_value(given_values(plugin, record.settings))
        return cls(record, plugin, (), Endpoint(record.hook_id, plugin.id, packed, record.callers))


def _oldest_first(records: Iterable[EndpointRecord]) -> list[EndpointRecord]:
    return sorted(records, key=lambda record: (record.created_at, record.id))


def _incomplete(plugin_id: str, faults: Iterable[Fault]) -> Problem:
    """The answer for clients: names only the keys, because the faults of the values concern only the operator."""
    keys = ", ".join(dict.fromkeys(fault.key.removeprefix("settings.") for fault in faults))
    detail = f"the endpoint's settings do not suit the plugin any more: {keys}"
    return Problem(503, "endpoint_incomplete", detail, plugin_id)
