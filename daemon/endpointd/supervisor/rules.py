"""What one plugin's workers are held to. Pure."""

from dataclasses import dataclass

from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.state import Policy


@dataclass(frozen=True, slots=True)
class Rules:
    """Clocks are in seconds; 0 switches `clock_queue` off. `restart_longest` bounds the delay between two starts.
    `workers` answer side by side."""

    queue_size: int
    clock_queue: float
    clock_drain: float
    clock_cancel_grace: float
    restart_longest: float
    policy: Policy
    bounds: Bounds
    workers: int = 1
    output_rate: int = 0
    """Lines of output that are logged in a second; 0: all."""
    on_demand: bool = False
    """No worker is needed before a request comes."""
    idle_stop: float = 0.0
    """Seconds without a request after which a worker that runs on demand is ended; 0: never."""
