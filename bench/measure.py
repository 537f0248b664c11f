"""Takes all measurements, round by round.

A round starts each server in turn, alone, and measures all of its figures; then the next round begins. One server
is alive at a time because idle ones still wake up, hold caches and, on two cores, disturb. Starting anew for every
round also lets a median cover what differs from process to process, such as the layout of memory; going round
lets a machine that gets slower in the middle slow everyone, not only who happened to be last.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from load import put_under_load
from results import RequestRuns, StreamRuns
from running import serving
from servers import FOR_REQUESTS, FOR_STREAMS, Server
from transfer import download, upload
from workloads import DUCK, STREAM

CONNECTIONS = (1, 32)
DIRECTIONS = {"out": download, "in": upload}
# Long enough to fill every cache and thread pool, on the connections that start the most threads.
WARM_UP_SECONDS = 1
WARM_UP_BYTES = 50_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, seconds of load in each, bytes of a stream, names of servers (all, if empty)."""

    rounds: int
    seconds: int
    stream_bytes: int
    only: frozenset[str]

    def turns(self, servers: tuple[Server, ...], tell: Callable[[str], None]) -> Iterator[Server]:
        """Yield the servers in the order of measuring, telling each turn."""
        for number in range(1, self.rounds + 1):
            for server in servers:
                if not self.only or server.name in self.only:
                    tell(f"  round {number} of {self.rounds}: {server.name}")
                    yield server


def measure_requests(plan: Plan, programs: Path, wrk: str, tell: Callable[[str], None]) -> RequestRuns:
    """Return the runs of wrk by server name and number of connections."""
    runs: RequestRuns = defaultdict(list)
    for server in plan.turns(FOR_REQUESTS, tell):
        with serving(server, programs, DUCK) as site:
            url = site.url(DUCK.path)
            put_under_load(wrk, url, max(CONNECTIONS), WARM_UP_SECONDS)
            for connections in CONNECTIONS:
                runs[server.name, connections].append(put_under_load(wrk, url, connections, plan.seconds))
    return dict(runs)


def measure_streams(plan: Plan, programs: Path, tell: Callable[[str], None]) -> StreamRuns:
    """Return the transfers by server name and direction, as the plugin sees it: ``out`` or ``in``."""
    runs: StreamRuns = defaultdict(list)
    for server in plan.turns(FOR_STREAMS, tell):
        with serving(server, programs, STREAM) as site:
            for direction, move in DIRECTIONS.items():
                move(site, WARM_UP_BYTES)
                runs[server.name, direction].append(move(site, plan.stream_bytes))
    return dict(runs)
