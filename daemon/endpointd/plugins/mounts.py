"""The table in which the gateway looks up hook ids: what is mounted at each of them, and why nothing is."""

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
from endpointd.plugins.versions import Version, mount
from endpointd.settings.settings import Settings
from endpointd.supervisor.supervisor import Supervisor

GONE_REMEMBERED = 1024
"""For how many removed plugins the hook id is remembered, so that requests get a better error than "unknown"."""


class Mounts:
    """The mounts of all plugins: the endpoints in `book`, and an automatic endpoint for each plugin, at its name.

    A plugin gets an automatic endpoint if `given` (values for its settings) and its defaults are sufficient. An
    endpoint of an operator has precedence at a hook id; of two plugins with the same name, the first one has it until
    it is removed or no longer needs it. `given` is None where no values can be given (`endpointd serve`).
    """

    def __init__(self, book: Book, given: Mapping[str, Any] | None = None) -> None:
        self._book = book
        self._given = given
        self._buckets = Buckets()
        """The rate limits' state. Kept here so that it survives when another version of a plugin is mounted."""
        self._mounts: dict[str, Mount] = {}
        self._of: dict[Supervisor, list[Mount]] = {}
        """The same mounts by plugin; the automatic one first, then the oldest first."""
        self._waiting: set[Supervisor] = set()
        """Plugins without an automatic endpoint because their name is in use as another's hook id."""
        self._gone: OrderedDict[str, str] = OrderedDict()
        """The ids of removed plugins, by the hook id of their automatic endpoints."""

    @property
    def by_hook(self) -> Mapping[str, Mount]:
        return self._mounts

    @property
    def waiting(self) -> Iterable[Supervisor]:
        """The plugins for which `put` should be called again when a hook id may have become free."""
        return tuple(self._waiting)

    def of(self, supervisor: Supervisor) -> list[Mount]:
        return self._of.get(supervisor, [])

    def automatic(self, hook_id: str) -> str | None:
        """The plugin whose automatic endpoint is mounted at this hook id; None if there is none."""
        found = self._mounts.get(hook_id)
        return None if found is None or self._book.at(hook_id) is not None else found.supervisor.plugin

    def put(self, version: Version, supervisor: Supervisor, settings: Settings) -> None:
        """Mount `version` of a plugin at all endpoints that the plugin has now, instead of its previous mounts."""
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
        """The automatic endpoint, if the plugin can have one and its hook id is free."""
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
        """Unmount another plugin's automatic endpoint from this hook id; that plugin waits from now on."""
        present = self._mounts.get(mount.endpoint.hook_id)
        if present is not None and present.supervisor is not mount.supervisor:
            self._of[present.supervisor].remove(present)
            self._waiting.add(present.supervisor)

    def take(self, supervisor: Supervisor) -> None:
        """Unmount everything of a plugin, which was removed."""
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
        """The answer at a hook id that was the automatic endpoint of a removed plugin; None for any other."""
        plugin = self._gone.get(hook_id)
        if plugin is None:
            return None
        return Problem(404, "plugin_removed", f"the plugin that answered at {hook_id!r} was removed", plugin)

    def why_not(self, version: Version, settings: Settings) -> str:
        """Why a plugin that runs `version` answers nowhere."""
        plugin = version.plugin
        if self._book.of(plugin.id):
            return f"none of its endpoints answers; see 'endpointd endpoint list --plugin {plugin.id}'"
        # The absolute path, because the reader may run the command in another folder or environment.
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
