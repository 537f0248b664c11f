"""Figures of each plugin in the last minutes: a ring buffer of samples, one per second, in memory only.

Taking them is cheap: the daemon checks its workers once a second anyway, and this adds a few numbers, and a read of
/proc now and then.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from endpointd.supervisor.latencies import Latencies, quantile
from endpointd.supervisor.usage import resident

KEPT = 300
"""The number of samples that are kept for each plugin."""

MEMORY_EVERY = 5
"""The memory is read with every so many samples, because it changes slowly and reading it takes two system calls."""


class Sampled(Protocol):
    """The part of a plugin's supervisor that is used here."""

    @property
    def latencies(self) -> Latencies: ...

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers that serve."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The time between two calls of `Samples.look`: its length in `seconds`, the number of `answers`, and `counts`, the
    latencies of these as (bucket, number). `memory` is the workers' resident memory in bytes, None if unknown."""

    seconds: float
    answers: int
    counts: tuple[tuple[int, int], ...]
    memory: int | None

    @property
    def median(self) -> float | None:
        """The median latency in seconds; None if there were no answers."""
        return quantile(dict(self.counts), 0.5)


@dataclass(frozen=True, slots=True)
class Summary:
    """Requests per second, latencies in seconds, and the latest memory in bytes, over the last minute. None: unknown,
    or there were no answers."""

    rate: float | None = None
    median: float | None = None
    p95: float | None = None
    memory: int | None = None


class Samples:
    def __init__(self) -> None:
        self._tracks: dict[str, _Track] = {}
        self._looks = 0

    def look(self, now: float, plugins: Mapping[str, Sampled]) -> None:
        """Take a sample of each plugin. `plugins` are all present plugins, by id; `now` is the event loop's time."""
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
        """The samples of a plugin, the oldest first."""
        track = self._tracks.get(plugin_id)
        return () if track is None else tuple(track.samples)


def summary(samples: Sequence[Sample], seconds: int = 60) -> Summary:
    """Summarize the latest samples, at most `seconds` of them. Pure."""
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
    """The samples of one plugin, and the supervisor's counters at the last one."""

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
