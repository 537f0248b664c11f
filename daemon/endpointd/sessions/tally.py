"""How many calls plugins have made, how they ended, and how long they took. Pure."""

from collections import Counter
from collections.abc import Container, Iterator, Mapping

from endpointd.supervisor.latencies import Latencies

ANSWERED = "answered"
CANCELLED = "cancelled"
"""How a call has ended, besides the codes of refusals."""


class Tally:
    """The counts for one plugin's calls of one kind."""

    __slots__ = ("ends", "latencies", "open")

    def __init__(self) -> None:
        self.open = 0
        """Calls that are being answered."""
        self.ends: Counter[str] = Counter()
        """The number of calls by how they ended: `ANSWERED`, `CANCELLED`, or the code of a refusal."""
        self.latencies = Latencies()
        """The duration of each call, however it ended."""

    def begin(self) -> None:
        self.open += 1

    def end(self, how: str, seconds: float) -> None:
        self.open -= 1
        self.ends[how] += 1
        self.latencies.add(seconds)


class Tallies(Mapping[tuple[str, str], Tally]):
    """All tallies, by the plugin's id and the kind of call; both are few."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[str, str], Tally] = {}

    def of(self, plugin: str, kind: str) -> Tally:
        """The tally for this plugin and kind; created if there is none."""
        return self._tallies.setdefault((plugin, kind), Tally())

    def keep(self, plugins: Container[str]) -> None:
        """Forget those of all other plugins: they are gone."""
        self._tallies = {key: tally for key, tally in self._tallies.items() if key[0] in plugins}

    def __getitem__(self, key: tuple[str, str]) -> Tally:
        return self._tallies[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._tallies)

    def __len__(self) -> int:
        return len(self._tallies)
