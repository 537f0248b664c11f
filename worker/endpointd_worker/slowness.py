"""Which of the plugin's sources wait for something else, and so gain more from threads than they lose by a hand-over.

Pure: the clock is passed in. One slow run says little, since the machine may simply have been busy elsewhere: only
several in a row count, and only for a time.
"""

from collections.abc import Callable

SLOW = 0.0005
"""Seconds of waiting that a hand-over to another thread is cheaper than."""

SLOW_RUNS = 8
"""Slow runs in a row after which a source counts as slow."""

FIRST_PERIOD = 1.0
LONGEST_PERIOD = 60.0
"""Seconds for which a source counts as slow: doubled each time that it turns out to be slow again."""


class SlowSources:
    """Keeps account of the runs on the leader, by source. What followers take says nothing: they wait for each
    other."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._runs: dict[int, int] = {}
        self._until: dict[int, float] = {}
        self._periods: dict[int, float] = {}

    def is_slow(self, source: int) -> bool:
        return source in self._until and self._until[source] > self._now()

    def note(self, source: int, waited: float) -> None:
        """A run of `source` has ended, or goes on without the leader, after it has `waited` seconds for something."""
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
            # One slow run is then enough to be slow again.
            self._runs[source] = SLOW_RUNS - 1
