"""Sends requests at a fixed pace that does not saturate the machine, to see the effect of other events on them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from client_process import clients
from figures import percentile
from running import Site
from workloads import Workload


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: when it began and ended (seconds of the monotonic clock), and whether its answer was right."""

    began: float
    ended: float
    right: bool

    @property
    def latency_ms(self) -> float:
        """Return how long it took, in milliseconds."""
        return (self.ended - self.began) * 1000


@dataclass(slots=True)
class Paced:
    """The requests that were sent; filled when the block of ``pacing`` has ended."""

    asked: list[Asked] = field(default_factory=list)


@contextmanager
def pacing(site: Site, workload: Workload) -> Iterator[Paced]:
    """Send the workload's request at a fixed pace from a separate process while the block runs."""
    paced = Paced()
    with clients("pace_clients.py", site.port, site.prefix + workload.path, workload.answer.decode()) as process:
        yield paced
        paced.asked = [Asked(*one) for one in process.enough()]


def latencies(asked: list[Asked]) -> dict[str, float]:
    """Return the p99 and the p50 of their latencies, in milliseconds."""
    times = [one.latency_ms for one in asked] or [0.0]
    return {"p99_ms": percentile(times, 0.99), "p50_ms": percentile(times, 0.5)}
