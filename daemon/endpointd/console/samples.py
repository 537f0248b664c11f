"""How each plugin has been doing for the last minutes: a ring of samples, one a second.

The daemon looks after its workers once a second anyway; what is added is a few numbers, and a read of /proc now and
then. Nothing of it is kept when the daemon ends.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from endpointd.supervisor.latencies import Latencies, quantile
from endpointd.supervisor.usage import resident

KEPT = 300
"""Samples of each plugin."""

MEMORY_EVERY = 5
"""Looks from one reading of the memory to the next; it changes slowly, and costs two system calls."""


class Sampled(Protocol):
    """What is looked at: a plugin's supervisor."""

    @property
    def latencies(self) -> Latencies: ...

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the workers that serve."""


@dataclass(frozen=True, slots=True)
class Sample:
    """From one look to the next: `seconds` long, with as many `answers`, in `counts` by how long they took."""

    seconds: float
    answers: int
    counts: tuple[tuple[int, int], ...]
    memory: int | None

    @property
    def median(self) -> float | None:
        """None when nothing was answered."""
        return quantile(dict(self.counts), 0.5)


@dataclass(frozen=True, slots=True)
class Summary:
    """Over the last minute. None: nothing is known of it, or nothing was answered."""

    rate: float | None = None
    median: float | None = None
    p95: float | None = None
    memory: int | None = None


class Samples:
    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._looks = 0

    def look(self, now: float, plugins: Mapping[str, Sampled]) -> None:
        """`plugins` are all that there are, by their ids; `now` is in seconds of the monotonic clock."""
        self._looks += 1
        for gone in self._tracks.keys() - plugins.keys():
            del self._tracks[gone]
        for plugin_id, plugin in plugins.items():
            track = self._tracks.get(plugin_id)
            if track is None or track.latencies is not plugin.latencies:
                track = self._tracks[plugin_id] = _Track(plugin.latencies, now)
                track.read_memory(plugin.pids)
                continue
            if self._looks % MEMORY_EVERY == 0 or plugin.pids != track.pids:
                track.read_memory(plugin.pids)
            track.add(now)

    def of(self, plugin_id: str) -> Sequence[Sample]:
        """The oldest first."""
        track = self._tracks.get(plugin_id)
        return () if track is None else tuple(track.samples)


def summary(samples: Sequence[Sample], seconds: int = 60) -> Summary:
    """Over the last `seconds`, or as many as there are. Pure."""
    recent = samples[-seconds:]
    length = sum(sample.seconds for sample in recent)
    if not length:
        return Summary()
    counts: dict[int, int] = {}
    for sample in recent:
        for place, count in sample.counts:
            counts[place] = counts.get(place, 0) + count
    return Summary(
        sum(sample.answers for sample in recent) / length,
        quantile(counts, 0.5),
        quantile(counts, 0.95),
        recent[-1].memory,
    )


class _Track:
    """One plugin's ring, and how things stood at the last look."""

    def __init__(self, latencies: Latencies, now: float) -> None:
        self.latencies = latencies
        self.samples: deque[Sample] = deque(maxlen=KEPT)
        self.pids: tuple[int, ...] = ()
        self._memory: int | None = None
        self._at = now
        self._total = latencies.total
        self._counts = latencies.counts.copy()

    def read_memory(self, pids: tuple[int, ...]) -> None:
        self.pids = pids
        self._memory = sum(resident(pid) or 0 for pid in pids) or None

    def add(self, now: float) -> None:
        answers = self.latencies.total - self._total
        counts: tuple[tuple[int, int], ...] = ()
        if answers:
            pairs = enumerate(zip(self.latencies.counts, self._counts, strict=True))
            counts = tuple((place, new - old) for place, (new, old) in pairs if new != old)
            self._counts = self.latencies.counts.copy()
        self.samples.append(Sample(now - self._at, answers, counts, self._memory))
        self._at, self._total = now, self.latencies.total
