"""A version of a plugin, ready to run: its manifest, the order for its workers, and its rules and limits."""

from dataclasses import dataclass

from endpointd.callers.buckets import Buckets
from endpointd.callers.guard import Guard
from endpointd.callers.rules import CallerRules, CorsRule
from endpointd.endpoints import Endpoint, endpoint_url
from endpointd.gateway.limits import RelayLimits
from endpointd.gateway.mount import Mount
from endpointd.manifest.model import Plugin
from endpointd.plugins.catalog import Entry
from endpointd.plugins.loading import order_for
from endpointd.plugins.routing import RouteTable
from endpointd.settings.plugin_limits import PluginLimits
from endpointd.settings.settings import Settings
from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.rules import Rules
from endpointd.supervisor.state import Policy
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.worker import WorkerOrder


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """One version of a plugin. `digest` identifies the content of its files; `order` is what workers are started with;
    `rules` are for the supervisor; `limits` are the plugin's settings."""

    plugin: Plugin
    digest: str | None
    order: WorkerOrder
    rules: Rules
    limits: PluginLimits
    routes: RouteTable

    @classmethod
    def of(cls, entry: Entry, settings: Settings) -> "Version":
        """The version of the plugin in `entry`, which must be valid, with the given settings. Raises
        `OperatorError`."""
        assert entry.plugin is not None
        assert entry.root is not None
        limits = settings.for_plugin(entry.plugin.id)
        release = None if settings.development else entry.digest
        order = order_for(
            entry.root, entry.plugin, limits, release=release, development=settings.development, needs=entry.needs
        )
        # In development, authors want a single process with a single output, and to see errors at once.
        workers = 1 if settings.development else limits.workers
        on_demand = limits.start == "on-demand" and not settings.development
        rules = _rules(limits, workers, on_demand=on_demand)
        return cls(entry.plugin, entry.digest, order, rules, limits, RouteTable(entry.plugin.interfaces))

    def is_run_as(self, other: "Version") -> bool:
        """Whether workers of `other` can serve this version too, because only rules or limits differ."""
        return self.order == other.order and self.digest == other.digest


def _rules(limits: PluginLimits, workers: int, *, on_demand: bool) -> Rules:
    return Rules(
        queue_size=limits.queue_size,
        clock_queue=limits.clock_queue,
        clock_drain=limits.clock_drain,
        clock_cancel_grace=limits.clock_cancel_grace,
        restart_longest=limits.restart_longest,
        policy=Policy(limits.restart_limit, limits.restart_stable),
        bounds=Bounds(limits.recycle_requests, limits.recycle_age, limits.recycle_memory),
        workers=workers,
        output_rate=limits.output_rate,
        on_demand=on_demand,
        idle_stop=limits.idle_stop,
    )


def mount(version: Version, endpoint: Endpoint, supervisor: Supervisor, limit_body: int, buckets: Buckets) -> Mount:
    """The mount for an endpoint that is answered by workers of `version`."""
    places = {source: place for place, source in enumerate(version.plugin.sources)}
    limits = version.limits
    return Mount(
        endpoint,
        endpoint_url("", endpoint.hook_id, ""),
        version.routes,
        tuple(places[interface.source] for interface in version.plugin.interfaces),
        supervisor,
        RelayLimits(
            limit_body, limits.clock_first_byte, limits.clock_idle, limits.clock_total, limits.clock_client_idle
        ),
        version.order,
        Guard.make(endpoint.hook_id, endpoint.callers.over(_default_rules(limits)), buckets),
    )


def _default_rules(limits: PluginLimits) -> CallerRules:
    """The rules about callers for endpoints that have none of their own."""
    return CallerRules(
        tuple(map(str, limits.allow_from)) or None,
        limits.rate,
        CorsRule(limits.cors_origins) if limits.cors_origins else None,
    )
