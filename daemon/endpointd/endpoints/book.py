"""All endpoints that there are, in memory: by id, by hook id, and what each means for its plugin. Pure.

The gateway and the plugins ask this and never the store, so that no request waits for a database.
"""

from collections.abc import Iterable

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

    # What there is

    def all(self) -> list[EndpointRecord]:
        """The oldest first."""
        return sorted(self._by_id.values(), key=lambda record: (record.created_at, record.id))

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

    # Changes

    def put(self, record: EndpointRecord) -> None:
        """Add it, or put it in the place of the one with its id."""
        self.take(record.id)
        self._by_id[record.id] = self._by_hook[record.hook_id] = record

    def take(self, endpoint_id: str) -> None:
        record = self._by_id.pop(endpoint_id, None)
        if record is not None:
            del self._by_hook[record.hook_id]

    def renew(self, records: Iterable[EndpointRecord]) -> set[str]:
        """These are all that there are. The plugins for which something has changed."""
        before = self._by_id
        self._by_id = {record.id: record for record in records}
        self._by_hook = {record.hook_id: record for record in self._by_id.values()}
        ids = before.keys() | self._by_id.keys()
        pairs = [(before.get(one), self._by_id.get(one)) for one in ids]
        return {record.plugin for old, new in pairs if old != new for record in (old, new) if record is not None}

    # What it means

    def endpoints_of(self, plugin: Plugin) -> list[Endpoint]:
        """The endpoints at which this version of a plugin answers: those that are enabled and that it can be given.

        To be asked again with every version that serves, and when something has changed.
        """
        return [
            Endpoint(record.hook_id, plugin.id, pack_value(given_values(plugin, record.settings)))
            for record in self.all()
            if record.plugin == plugin.id and record.enabled and not faults_of(plugin, record.settings)
        ]

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
        faults = faults_of(plugin, record.settings)
        return _incomplete(plugin.id, faults) if faults else None


def _incomplete(plugin_id: str, faults: Iterable[Fault]) -> Problem:
    """The keys alone: what is wrong with a value concerns the operator, not whoever calls."""
    keys = ", ".join(dict.fromkeys(fault.key.removeprefix("settings.") for fault in faults))
    detail = f"the endpoint's settings do not suit the plugin any more: {keys}"
    return Problem(503, "endpoint_incomplete", detail, plugin_id)
