"""What became of the requests: counted as they end, in memory that does not grow with the time."""

import math
import threading
from collections import Counter

from soaking.rule import Failure

GROWTH = 1.05
"""A bucket of latencies ends at so many times its beginning: a figure is right to five in a hundred."""
MOST_FAILURES = 20_000
"""Kept one by one. More than these are counted as lost, so that a soak that goes wrong does not end out of memory."""


class Latencies:
    """Of one kind of request, by bucket."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0

    def add(self, seconds: float) -> None:
        self._buckets[math.ceil(math.log(max(seconds, 1e-6) * 1e6, GROWTH))] += 1
        self.count += 1

    def quantile(self, share: float) -> float:
        """Seconds that at least so large a share took at most; 0 when there is none."""
        left = math.ceil(share * self.count)
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return GROWTH**bucket / 1e6
        return 0.0


class Ledger:
    """For many threads."""

    def __init__(self) -> None:
        self.right: Counter[tuple[str, str]] = Counter()
        """By plugin and kind of request."""
        self.failures: list[Failure] = []
        self.failures_not_kept = 0
        self.latencies: dict[str, Latencies] = {}
        self.workers: set[int] = set()
        """The pids of all that have answered."""
        self._lock = threading.Lock()

    @property
    def sent(self) -> int:
        return sum(self.right.values()) + len(self.failures) + self.failures_not_kept

    def note_right(self, plugin: str, request: str, seconds: float, pid: int) -> None:
        with self._lock:
            self.right[plugin, request] += 1
            self.workers.add(pid)
            self.latencies.setdefault(request, Latencies()).add(seconds)

    def note_failure(self, failure: Failure) -> None:
        with self._lock:
            if len(self.failures) < MOST_FAILURES:
                self.failures.append(failure)
            else:
                self.failures_not_kept += 1
