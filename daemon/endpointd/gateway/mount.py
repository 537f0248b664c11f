"""What the gateway finds at a hook id."""

from dataclasses import dataclass

from endpointd.callers.guard import Guard
from endpointd.endpoints import Endpoint
from endpointd.gateway.limits import RelayLimits
from endpointd.routing import RouteTable
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.worker import WorkerOrder


@dataclass(frozen=True, slots=True)
class Mount:
    """An endpoint in its place: what is needed to answer a request for it.

    `script` is its path, `/e/<hook id>`; `sources` has, for each interface of `routes`, the place of its source among
    those that a worker of `order` loaded. `guard` is None where everybody may call.
    """

    endpoint: Endpoint
    script: str
    routes: RouteTable
    sources: tuple[int, ...]
    supervisor: Supervisor
    limits: RelayLimits
    order: WorkerOrder
    guard: Guard | None = None
