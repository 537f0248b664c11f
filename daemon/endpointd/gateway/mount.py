"""The data that the gateway finds by a hook id."""

from dataclasses import dataclass

from endpointd.callers.guard import Guard
from endpointd.endpoints import Endpoint
from endpointd.gateway.limits import RelayLimits
from endpointd.plugins.routing import RouteTable
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.worker import WorkerOrder


@dataclass(frozen=True, slots=True)
class Mount:
    """An endpoint with everything that is needed to answer requests for it.

    `script` is its path, `/e/<hook id>`. `sources` has, for each interface of `routes`, the index of its source among
    those that a worker of `order` has loaded. `guard` is None if everybody may call without limits.
    """

    endpoint: Endpoint
    script: str
    routes: RouteTable
    sources: tuple[int, ...]
    supervisor: Supervisor
    limits: RelayLimits
    order: WorkerOrder
    guard: Guard | None = None
