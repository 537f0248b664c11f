"""Requests at a pace that leaves the machine time: what they notice of something that happens meanwhile."""

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
    """What was asked, when it is over."""

    asked: list[Asked] = field(default_factory=list)


@contextmanager
def pacing(site: Site, workload: Workload) -> Iterator[Paced]:
    """Ask for the workload at a pace, from a process of its own, while the block runs."""
    paced = Paced()
    with clients("pace_clients.py", site.port, site.prefix + workload.path, workload.answer.decode()) as process:
        yield paced
        paced.asked = [Asked(*one) for one in process.enough()]


def latencies(asked: list[Asked]) -> dict[str, float]:
    """Return the p99 and the p50 of their latencies, in milliseconds."""
    times = [one.latency_ms for one in asked] or [0.0]
    return {"p99_ms": percentile(times, 0.99), "p50_ms": percentile(times, 0.5)}
