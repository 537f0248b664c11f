"""Which of the plugin's sources spend their time waiting (for a network, a disk), so that each of their requests should
get a thread of its own although handing it over costs something.

Pure: the clock is passed in. One slow run proves nothing, since the machine may simply have been busy. Only several in
a row count, and only for a limited time.
"""

from collections.abc import Callable

SLOW = 0.0005
"""Seconds of waiting in one run, beyond which handing the request to another thread is cheaper."""

SLOW_RUNS = 8
"""After this many slow runs in a row a source counts as slow."""

FIRST_PERIOD = 1.0
LONGEST_PERIOD = 60.0
"""The bounds, in seconds, of the time for which a source counts as slow. It doubles each time that the source turns out
to be still slow."""


class SlowSources:
    """Counts slow runs by source (the index in `Load.sources`). Only runs on the leader are noted: followers also wait
    for each other, so their times mean nothing."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._runs: dict[int, int] = {}
        self._until: dict[int, float] = {}
        self._periods: dict[int, float] = {}

    def is_slow(self, source: int) -> bool:
        return source in self._until and self._until[source] > self._now()

    def note(self, source: int, waited: float) -> None:
        """Note that a run of `source` has waited for `waited` seconds: it has ended, or its thread is not the leader
        any more."""
        if waited > SLOW:
            self._count(source)
        elif source in self._runs:
            del self._runs[source]
            self._periods.pop(source, None)

    def _count(self, source: int) -> None:
        runs = self._runs[source] = self._runs.get(source, 0) + 1
        if runs >= SLOW_RUNS:
            period = self._periods.get(source, FIRST_PERIOD)
            self._periods[source] = min(2 * period, LONGEST_PERIOD)
            self._until[source] = self._now() + period
            # After the period, one more slow run is enough.
            self._runs[source] = SLOW_RUNS - 1
