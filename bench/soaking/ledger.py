"""Records the results of requests, in memory that does not grow with the duration of the soak."""

import math
import threading
from collections import Counter

from soaking.rule import Failure

GROWTH = 1.05
"""The ratio of the end of a bucket of latencies to its beginning: figures have an error of 5 percent at most."""
MOST_FAILURES = 20_000
"""The largest number of failures that are kept individually. Further ones are only counted, and count as lost, so that
a soak with many failures does not run out of memory."""


class Latencies:
    """A histogram of the latencies of one kind of request."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0

    def add(self, seconds: float) -> None:
        self._buckets[math.ceil(math.log(max(seconds, 1e-6) * 1e6, GROWTH))] += 1
        self.count += 1

    def quantile(self, share: float) -> float:
        """The latency in seconds that at least the share (0 to 1) of requests did not exceed; 0 without requests."""
        left = math.ceil(share * self.count)
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return GROWTH**bucket / 1e6
        return 0.0


class Ledger:
    """The results of all requests. Thread-safe."""

    def __init__(self) -> None:
        self.right: Counter[tuple[str, str]] = Counter()
        """The number of right answers by plugin and kind of request."""
        self.failures: list[Failure] = []
        self.failures_not_kept = 0
        self.latencies: dict[str, Latencies] = {}
        self.workers: set[int] = set()
        """The pids of all workers that have answered."""
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
