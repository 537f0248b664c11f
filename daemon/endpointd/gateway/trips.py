"""What is told of a request when it is over: to the counters of its plugin, and to whoever keeps a log of requests."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any, TypeAlias

from endpointd.gateway.heads import Headers
from endpointd.gateway.problems import Problem
from endpointd.gateway.relay import Relay
from endpointd.supervisor.traffic import ABORTED, CLASSES, GONE, Traffic

Begin: TypeAlias = Callable[[dict[str, Any], Headers, float | None], object]
"""Called with the scope of a request that is to go to a worker, the headers that the plugin will see, and when it began
(None: now); returns what its session calls are a part of."""


@dataclass(slots=True)
class Trip:
    """One request from its head to its end. Times are in seconds, of the monotonic clock; `plugin` is empty and
    `traffic` None when it was for nobody."""

    id: str
    scope: dict[str, Any]
    began: float
    plugin: str = ""
    hook: str = ""
    interface: str = ""
    traffic: Traffic | None = None
    waited: float = 0.0
    relay: Relay | None = None
    status: int = 0
    """Of the answer, whoever gave it; 0 when there was none."""
    code: str = ""
    """Of the host's refusal."""
    total: float = 0.0
    trace: str = ""
    """The id of the trace that it is a part of, when there is tracing."""

    @property
    def end(self) -> str:
        """A class of statuses, or how it ended without a whole answer."""
        if self.relay is not None and not self.code and not self.relay.delivered:
            return ABORTED if self.relay.status else GONE
        return CLASSES[self.status // 100] if self.status else GONE

    def refused(self, problem: Problem) -> None:
        self.status, self.code = problem.status, problem.code


class Trips:
    """Counts them. `tell` is given each of them as well, where there is a log of requests."""

    def __init__(self, tell: Callable[[Trip], None] | None = None) -> None:
        self.strangers = Traffic()
        """Requests for nobody: of unknown paths, and of endpoints that do not answer."""
        self.tell = tell
        self.begin: Begin | None = None
        """Set where there is tracing."""

    def over(self, trip: Trip) -> None:
        """Everything that can be said about it has been."""
        relay = trip.relay
        trip.total = monotonic() - trip.began
        if relay is not None and not trip.code:
            trip.status = relay.status
        traffic = trip.traffic or self.strangers
        received, sent = (relay.received, relay.sent) if relay is not None else (0, 0)
        traffic.add(trip.end, trip.total, received, sent)
        if trip.waited:
            traffic.waits.add(trip.waited)
        if trip.code:
            traffic.refusals[trip.code] += 1
        if self.tell is not None:
            self.tell(trip)

    def answered_at_once(self, traffic: Traffic, relay: Relay) -> None:
        """The same for a request on the direct path, which ends where it has begun."""
        assert relay.latency is not None
        traffic.add(CLASSES[relay.status // 100], relay.waited + relay.latency, relay.received, relay.sent)
        if relay.waited:
            traffic.waits.add(relay.waited)
