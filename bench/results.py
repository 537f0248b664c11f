"""All that one execution of the benchmark brought to light."""

from dataclasses import dataclass

from figures import failures_of
from load import LoadRun
from transfer import Transfer

RequestRuns = dict[tuple[str, int], list[LoadRun]]
StreamRuns = dict[tuple[str, str], list[Transfer]]


@dataclass(frozen=True, slots=True)
class Results:
    """Where and with what it was measured, and every run in order of rounds.

    ``requests`` has the runs by server name and number of connections, ``streams`` by server name and direction.
    """

    machine: dict[str, str | int | float]
    versions: dict[str, str]
    requests: RequestRuns
    streams: StreamRuns

    @property
    def failures(self) -> int:
        """Return how many requests and transfers of all servers failed."""
        return sum(map(failures_of, self.requests.values())) + sum(map(failures_of, self.streams.values()))
