"""Where the plugins answer: what the gateway finds at each hook id, and which hook ids are of plugins that are gone."""

from collections import OrderedDict
from collections.abc import Mapping

from endpointd.endpoints import automatic_endpoint
from endpointd.gateway.gateway import Mount
from endpointd.settings import Settings
from endpointd.supervisor.supervisor import Supervisor
from endpointd.versions import Version, mount

GONE_REMEMBERED = 1024
"""Hook ids of plugins that were removed, and are told so, until there are more."""


class Mounts:
    """Of two plugins that want one hook id, the first one has it, until it is gone or wants it no more."""

    def __init__(self) -> None:
        self._mounts: dict[str, Mount] = {}
        self._gone: OrderedDict[str, str] = OrderedDict()

    @property
    def by_hook(self) -> Mapping[str, Mount]:
        return self._mounts

    @property
    def gone(self) -> Mapping[str, str]:
        """The plugins that were removed, by their hook ids."""
        return self._gone

    def of(self, supervisor: Supervisor) -> list[Mount]:
        return [one for one in self._mounts.values() if one.supervisor is supervisor]

    def put(self, version: Version, supervisor: Supervisor, settings: Settings) -> None:
        """`version` is what answers for the plugin from now on, where `settings` want it to."""
        endpoint = automatic_endpoint(version.plugin) if settings.auto_endpoints else None
        for hook_id, one in list(self._mounts.items()):
            if one.supervisor is supervisor and (endpoint is None or hook_id != endpoint.hook_id):
                del self._mounts[hook_id]
        if endpoint is None:
            return
        present = self._mounts.get(endpoint.hook_id)
        if present is None or present.supervisor is supervisor:
            self._gone.pop(endpoint.hook_id, None)
            self._mounts[endpoint.hook_id] = mount(version, endpoint, supervisor, settings.limit_body)

    def take(self, supervisor: Supervisor) -> None:
        """The plugin is gone."""
        for hook_id in [hook for hook, one in self._mounts.items() if one.supervisor is supervisor]:
            del self._mounts[hook_id]
            self._gone[hook_id] = supervisor.plugin
            if len(self._gone) > GONE_REMEMBERED:
                self._gone.popitem(last=False)

    def why_not(self, version: Version, settings: Settings) -> str:
        """Why a plugin that runs `version` has no endpoint."""
        plugin = version.plugin
        if not settings.auto_endpoints:
            return "it has no endpoint, and auto_endpoints is off; switch that on"
        if plugin.name in self._mounts:
            owner = self._mounts[plugin.name].supervisor.plugin
            return f"/e/{plugin.name}/ is the plugin {owner}'s; give this one another name in its manifest"
        required = ", ".join(plugin.required_settings)
        return f"it has no endpoint of its own, because it requires settings: {required}; give them defaults"
