"""The rules for one plugin's workers: limits, timeouts and numbers. Pure."""

from dataclasses import dataclass

from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.state import Policy


@dataclass(frozen=True, slots=True)
class Rules:
    """Clocks (timeouts) are in seconds; 0 switches `clock_queue` off. `restart_longest` is the longest delay between
    two starts, in seconds. `workers` is the number of workers that serve side by side."""

    queue_size: int
    clock_queue: float
    clock_drain: float
    clock_cancel_grace: float
    restart_longest: float
    policy: Policy
    bounds: Bounds
    workers: int = 1
    output_rate: int = 0
    """How many lines of output are logged per second; 0: all."""
    on_demand: bool = False
    """Whether workers are only started when a request comes."""
    idle_stop: float = 0.0
    """Seconds without a request after which a worker that runs on demand is ended; 0: never."""
