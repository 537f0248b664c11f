"""The plugins that this daemon serves: for each folder a supervisor, and the endpoint at which it answers."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from endpointd.catalog import Entry
from endpointd.endpoints import automatic_endpoint
from endpointd.gateway.gateway import Mount
from endpointd.gateway.relay import RelayLimits
from endpointd.loading import finding_of, order_for
from endpointd.manifest.findings import Severity
from endpointd.manifest.model import Plugin
from endpointd.reports import PluginReport
from endpointd.routing import RouteTable
from endpointd.settings import PluginLimits, Settings
from endpointd.supervisor.state import Policy, State
from endpointd.supervisor.supervisor import Clocks, Supervisor


@dataclass(frozen=True, slots=True)
class Served:
    """One folder. `supervisor` is None when the plugin in it cannot be served at all."""

    entry: Entry
    supervisor: Supervisor | None


class Plugins:
    """Owns every supervisor, and `mounts`: what the gateway finds at each hook id."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._mounts: dict[str, Mount] = {}
        self._served: list[Served] = []

    @property
    def mounts(self) -> Mapping[str, Mount]:
        return self._mounts

    @property
    def in_flight(self) -> int:
        """Requests under way, in all plugins."""
        return sum(supervisor.in_flight for supervisor in self._supervisors())

    def serve(self, entries: Iterable[Entry]) -> None:
        """Start the worker of each plugin that can be served, and mount its endpoint."""
        for entry in entries:
            supervisor = None if entry.plugin is None else self._serve(entry, entry.plugin)
            self._served.append(Served(entry, supervisor))

    async def settled(self) -> None:
        """Wait until it is known of each plugin whether it runs."""
        for supervisor in self._supervisors():
            await supervisor.settled()

    async def stop(self) -> None:
        """Let every worker finish, and end it. Returns when no process is left."""
        async with asyncio.TaskGroup() as group:
            for supervisor in self._supervisors():
                group.create_task(supervisor.stop())

    def kill(self) -> None:
        """End every worker at once."""
        for supervisor in self._supervisors():
            supervisor.kill()

    def reports(self, base: str) -> list[PluginReport]:
        """What became of each folder; `base` is what URLs begin with."""
        return [self._report(served.entry, served.supervisor, base) for served in self._served]

    def _supervisors(self) -> list[Supervisor]:
        return [served.supervisor for served in self._served if served.supervisor is not None]

    # Serving

    def _serve(self, entry: Entry, plugin: Plugin) -> Supervisor:
        limits = self._settings.for_plugin(plugin.id)
        order = order_for(self._settings.plugins / entry.folder, plugin, limits, development=self._settings.development)
        supervisor = Supervisor(
            plugin.id,
            order,
            Clocks(limits.clock_queue, limits.clock_drain, limits.clock_cancel_grace, limits.restart_longest),
            limits.queue_size,
            Policy(limits.restart_limit, limits.restart_stable),
        )
        self._mount(plugin, supervisor, limits)
        supervisor.start()
        return supervisor

    def _mount(self, plugin: Plugin, supervisor: Supervisor, limits: PluginLimits) -> None:
        endpoint = automatic_endpoint(plugin) if self._settings.auto_endpoints else None
        if endpoint is None or endpoint.hook_id in self._mounts:
            return
        places = {source: place for place, source in enumerate(plugin.sources)}
        self._mounts[endpoint.hook_id] = Mount(
            endpoint,
            RouteTable(plugin.interfaces),
            tuple(places[interface.source] for interface in plugin.interfaces),
            supervisor,
            RelayLimits(
                self._settings.limit_body,
                limits.clock_first_byte,
                limits.clock_idle,
                limits.clock_total,
                limits.clock_client_idle,
            ),
        )

    # Reporting

    def _report(self, entry: Entry, supervisor: Supervisor | None, base: str) -> PluginReport:
        plugin = entry.plugin
        if plugin is None or supervisor is None:
            reasons = tuple(str(finding) for finding in entry.findings if finding.severity is Severity.ERROR)
            return PluginReport(entry.folder, None, (), reasons)
        if supervisor.life.state is not State.RUNNING:
            return PluginReport(entry.folder, plugin.id, (), _reasons(supervisor))
        mount = self._mounts.get(plugin.name)
        if mount is None or mount.supervisor is not supervisor:
            return PluginReport(entry.folder, plugin.id, (), (self._why_unmounted(plugin),))
        interfaces = tuple(
            (interface.method, f"{base}/e/{mount.endpoint.hook_id}{interface.path}")
            for interface in plugin.interfaces
            if not interface.hidden
        )
        return PluginReport(entry.folder, plugin.id, interfaces, ())

    def _why_unmounted(self, plugin: Plugin) -> str:
        if not self._settings.auto_endpoints:
            return "it has no endpoint, and auto_endpoints is off; switch that on"
        if plugin.name in self._mounts:
            owner = self._mounts[plugin.name].supervisor.plugin
            return f"/e/{plugin.name}/ is the plugin {owner}'s; give this one another name in its manifest"
        required = ", ".join(plugin.required_settings)
        return f"it has no endpoint of its own, because it requires settings: {required}; give them defaults"


def _reasons(supervisor: Supervisor) -> tuple[str, ...]:
    failure = supervisor.failure
    if failure is None:
        return (f"its worker is {supervisor.life.state}",)
    if failure.problems:
        return tuple(str(finding_of(problem)) for problem in failure.problems)
    return (f"{failure.message} [{failure.code}]", *failure.lines)
