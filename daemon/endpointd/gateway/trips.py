"""Records of requests: when one is over, it is counted for its plugin, and passed to the log of requests."""

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
(None: now). Returns the trace to which its session calls belong."""


@dataclass(slots=True)
class Trip:
    """One request from its head to its end. Times are in seconds; `began` is of the monotonic clock. `plugin` is empty
    and `traffic` None if the request was for no endpoint."""

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
    """The status of the answer, by the plugin or by the host; 0 if there was none."""
    code: str = ""
    """The error code, if the host has refused the request."""
    total: float = 0.0
    trace: str = ""
    """The id of its trace; empty without tracing."""

    @property
    def end(self) -> str:
        """How it ended: the class of its status, or `ABORTED` or `GONE` if there was no complete answer."""
        if self.relay is not None and not self.code and not self.relay.delivered:
            return ABORTED if self.relay.status else GONE
        return CLASSES[self.status // 100] if self.status else GONE

    def refused(self, problem: Problem) -> None:
        self.status, self.code = problem.status, problem.code


class Trips:
    """Counts requests. `tell` is called with each trip that is over; None if there is no log of requests."""

    def __init__(self, tell: Callable[[Trip], None] | None = None) -> None:
        self.strangers = Traffic()
        """Requests for no endpoint: with unknown paths, or for endpoints that do not exist or do not serve."""
        self.tell = tell
        self.begin: Begin | None = None
        """Set if tracing is on."""

    def over(self, trip: Trip) -> None:
        """Count a trip that is over, and pass it to `tell`."""
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
        """Count a request that was answered on the direct path, without a trip. Only if there is no `tell`."""
        assert relay.latency is not None
        traffic.add(CLASSES[relay.status // 100], relay.waited + relay.latency, relay.received, relay.sent)
        if relay.waited:
            traffic.waits.add(relay.waited)
