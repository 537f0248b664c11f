"""All endpoints that there are, in memory: by id, by hook id, and what each means for its plugin. Pure.

The gateway and the plugins ask this and never the store, so that no request waits for a database.
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
    def __init__(self) -> None:
        self._by_id: dict[str, EndpointRecord] = {}
        self._by_hook: dict[str, EndpointRecord] = {}
        self._by_plugin: defaultdict[str, dict[str, EndpointRecord]] = defaultdict(dict)
        self._meanings: dict[str, _Meaning] = {}
        """What was found out last, by id; all of it is asked again whenever one endpoint has changed."""

    # What there is

    def all(self) -> list[EndpointRecord]:
        """The oldest first."""
        return _oldest_first(self._by_id.values())

    def of(self, plugin_id: str) -> list[EndpointRecord]:
        """Those of one plugin, enabled or not, the oldest first."""
        return _oldest_first(self._by_plugin[plugin_id].values()) if plugin_id in self._by_plugin else []

    def get(self, endpoint_id: str) -> EndpointRecord:
        """Raises `EndpointMissing`."""
        record = self._by_id.get(endpoint_id)
        if record is None:
            raise EndpointMissing(endpoint_id)
        return record

    def has(self, endpoint_id: str) -> bool:
        return endpoint_id in self._by_id

    def at(self, hook_id: str) -> EndpointRecord | None:
        """The endpoint that has this hook id, enabled or not. No plugin has an automatic one there."""
        return self._by_hook.get(hook_id)

    def name_at(self, hook_id: str) -> str:
        """The name of the endpoint at this hook id; empty when no operator has given one."""
        record = self._by_hook.get(hook_id)
        return "" if record is None else record.name

    # Changes

    def put(self, record: EndpointRecord) -> None:
        """Add it, or put it in the place of the one with its id."""
        self.take(record.id)
        self._by_id[record.id] = self._by_hook[record.hook_id] = self._by_plugin[record.plugin][record.id] = record

    def take(self, endpoint_id: str) -> None:
        record = self._by_id.pop(endpoint_id, None)
        if record is not None:
            del self._by_hook[record.hook_id]
            self._meanings.pop(endpoint_id, None)
            del self._by_plugin[record.plugin][endpoint_id]
            if not self._by_plugin[record.plugin]:
                del self._by_plugin[record.plugin]

    def change(self, removed: Iterable[str], records: Iterable[EndpointRecord]) -> None:
        """As a whole: a record may have the hook id that another one has had until now."""
        records = list(records)
        for endpoint_id in (*removed, *(record.id for record in records)):
            self.take(endpoint_id)
        for record in records:
            self.put(record)

    def renew(self, records: Iterable[EndpointRecord]) -> set[str]:
        """These are all that there are. The plugins for which something has changed."""
        before = self._by_id
        self._by_id, self._by_hook = {}, {}
        self._by_plugin.clear()
        self._meanings.clear()
        for record in records:
            self.put(record)
        ids = before.keys() | self._by_id.keys()
        pairs = [(before.get(one), self._by_id.get(one)) for one in ids]
        return {record.plugin for old, new in pairs if old != new for record in (old, new) if record is not None}

    # What it means

    def endpoints_of(self, plugin: Plugin) -> list[Endpoint]:
        """The endpoints at which this version of a plugin answers: those that are enabled and that it can be given.

        To be asked again with every version that serves, and when something has changed.
        """
        enabled = (record for record in self.of(plugin.id) if record.enabled)
        found = (self._meaning(record, plugin).endpoint for record in enabled)
        return [endpoint for endpoint in found if endpoint is not None]

    def incomplete(self, plugin: Plugin) -> list[tuple[EndpointRecord, Sequence[Fault]]]:
        """The endpoints that are enabled and that this version of a plugin cannot be given, each with the reasons."""
        found = [(record, self.faults(record, plugin)) for record in self.of(plugin.id) if record.enabled]
        return [(record, faults) for record, faults in found if faults]

    def faults(self, record: EndpointRecord, plugin: Plugin) -> tuple[Fault, ...]:
        """Why this version of its plugin cannot be given what an endpoint has."""
        return self._meaning(record, plugin).faults

    def refusal(self, hook_id: str, plugin: Plugin | None) -> Problem | None:
        """Why nothing answers at this hook id; None when it is no endpoint's, or one's that does answer.

        `plugin` is the version that serves, None when there is none. A new object each time, because raising one again
        and again would make its traceback grow without end.
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

    def _meaning(self, record: EndpointRecord, plugin: Plugin) -> "_Meaning":
        known = self._meanings.get(record.id)
        if known is None or known.record is not record or known.plugin is not plugin:
            known = self._meanings[record.id] = _Meaning.find(record, plugin)
        return known


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What a record is to one version of its plugin: an endpoint, or faults."""

    record: EndpointRecord
    plugin: Plugin
    faults: tuple[Fault, ...]
    endpoint: Endpoint | None

    @classmethod
    def find(cls, record: EndpointRecord, plugin: Plugin) -> "_Meaning":
        faults = faults_of(plugin, record.settings)
        if faults:
            return cls(record, plugin, faults, None)
        packed = pack_value(given_values(plugin, record.settings))
        return cls(record, plugin, (), Endpoint(record.hook_id, plugin.id, packed, record.callers))


def _oldest_first(records: Iterable[EndpointRecord]) -> list[EndpointRecord]:
    return sorted(records, key=lambda record: (record.created_at, record.id))


def _incomplete(plugin_id: str, faults: Iterable[Fault]) -> Problem:
    """The keys alone: what is wrong with a value concerns the operator, not whoever calls."""
    keys = ", ".join(dict.fromkeys(fault.key.removeprefix("settings.") for fault in faults))
    detail = f"the endpoint's settings do not suit the plugin any more: {keys}"
    return Problem(503, "endpoint_incomplete", detail, plugin_id)
