"""Where the plugins answer: what the gateway finds at each hook id, and what it says where it finds nothing."""

import shlex
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from endpointd.callers.buckets import Buckets
from endpointd.endpoints import Endpoint
from endpointd.endpoints.book import Book
from endpointd.endpoints.own import own_endpoint
from endpointd.endpoints.values import faults_of
from endpointd.gateway.mount import Mount
from endpointd.gateway.problems import Problem
from endpointd.settings import Settings
from endpointd.supervisor.supervisor import Supervisor
from endpointd.versions import Version, mount

GONE_REMEMBERED = 1024
"""Hook ids of plugins that were removed, and are told so, until there are more."""


class Mounts:
    """The operators' endpoints, which are in `book`, and one that each plugin has at its own name where `given`, values
    for its settings, and their defaults are all that it needs. A hook id that an operator has chosen is no plugin's
    name; of two plugins that want one, the first one has it, until it is gone or wants it no more.

    `given` is None where nobody can give any.
    """

    def __init__(self, book: Book, given: Mapping[str, Any] | None = None) -> None:
        self._book = book
        self._given = given
        self._buckets = Buckets()
        """They outlive what is mounted: who has called too often has so under another version of the plugin as well."""
        self._mounts: dict[str, Mount] = {}
        self._of: dict[Supervisor, list[Mount]] = {}
        """The same, by whose they are; the automatic one first, then the oldest first."""
        self._waiting: set[Supervisor] = set()
        """Whose name is somebody else's hook id."""
        self._gone: OrderedDict[str, str] = OrderedDict()

    @property
    def by_hook(self) -> Mapping[str, Mount]:
        return self._mounts

    @property
    def waiting(self) -> Iterable[Supervisor]:
        """Those that are to be put again when a hook id may have become free."""
        return tuple(self._waiting)

    def of(self, supervisor: Supervisor) -> list[Mount]:
        return self._of.get(supervisor, [])

    def automatic(self, hook_id: str) -> str | None:
        """The plugin that answers at this hook id, its name, without an operator's doing."""
        found = self._mounts.get(hook_id)
        return None if found is None or self._book.at(hook_id) is not None else found.supervisor.plugin

    def put(self, version: Version, supervisor: Supervisor, settings: Settings) -> None:
        """`version` is what answers for the plugin from now on, at the endpoints that it has now."""
        wanted = [
            mount(version, endpoint, supervisor, settings.limit_body, self._buckets)
            for endpoint in (*self._own(version, supervisor, settings), *self._book.endpoints_of(version.plugin))
        ]
        kept = {one.endpoint.hook_id for one in wanted}
        for one in self.of(supervisor):
            if one.endpoint.hook_id not in kept:
                self._mounts.pop(one.endpoint.hook_id, None)
        for one in wanted:
            self._displace(one)
            self._gone.pop(one.endpoint.hook_id, None)
            self._mounts[one.endpoint.hook_id] = one
        self._of[supervisor] = wanted

    def _own(self, version: Version, supervisor: Supervisor, settings: Settings) -> list[Endpoint]:
        """The automatic endpoint, where the plugin can have one and nobody else is there."""
        self._waiting.discard(supervisor)
        endpoint = own_endpoint(version.plugin, self._given or {}) if settings.auto_endpoints else None
        if endpoint is None:
            return []
        present = self._mounts.get(endpoint.hook_id)
        if self._book.at(endpoint.hook_id) is None and (present is None or present.supervisor is supervisor):
            return [endpoint]
        self._waiting.add(supervisor)
        return []

    def _displace(self, mount: Mount) -> None:
        """Somebody else may have been there by its name until now, and waits from now on."""
        present = self._mounts.get(mount.endpoint.hook_id)
        if present is not None and present.supervisor is not mount.supervisor:
            self._of[present.supervisor].remove(present)
            self._waiting.add(present.supervisor)

    def take(self, supervisor: Supervisor) -> None:
        """The plugin is gone."""
        self._waiting.discard(supervisor)
        for one in self._of.pop(supervisor, []):
            hook_id = one.endpoint.hook_id
            del self._mounts[hook_id]
            if self._book.at(hook_id) is not None:
                continue
            self._gone[hook_id] = supervisor.plugin
            if len(self._gone) > GONE_REMEMBERED:
                self._gone.popitem(last=False)

    def gone(self, hook_id: str) -> Problem | None:
        """What a request gets where a plugin answered by its name until it was removed."""
        plugin = self._gone.get(hook_id)
        if plugin is None:
            return None
        return Problem(404, "plugin_removed", f"the plugin that answered at {hook_id!r} was removed", plugin)

    def why_not(self, version: Version, settings: Settings) -> str:
        """Why a plugin that runs `version` answers nowhere."""
        plugin = version.plugin
        if self._book.of(plugin.id):
            return f"none of its endpoints answers; see 'endpointd endpoint list --plugin {plugin.id}'"
        # Whoever reads it may be in another folder, in whose surroundings nothing names this daemon's state.
        state = f"--state {shlex.quote(str(settings.state.absolute()))}"
        create = f"create one with 'endpointd endpoint create {plugin.id} --name NAME {state}'"
        faults = faults_of(plugin, self._given or {})
        if faults:
            give = "" if self._given is None else "give them with --set KEY=VALUE or --set-file KEY=FILE, or "
            required = ", ".join(fault.key.removeprefix("settings.") for fault in faults)
            return f"it has no endpoint of its own, because it requires settings: {required}; {give}{create}"
        if not settings.auto_endpoints:
            return f"it has no endpoint, and auto_endpoints is off; {create}"
        owner = self._mounts[plugin.name].supervisor.plugin if plugin.name in self._mounts else None
        whose = "an endpoint's" if owner is None else f"the plugin {owner}'s"
        return f"/e/{plugin.name}/ is {whose}; {create}, or give this plugin another name in its manifest"
