"""Which of the plugin's sources wait for something else, and so gain more from threads than they lose by a hand-over.

Pure: the clock is passed in. One slow run says little, since the machine may simply have been busy elsewhere: only
`SLOW_RUNS` in a row count, and only for `SLOW_FOR` seconds.
"""

from collections.abc import Callable

SLOW = 0.0005
"""Seconds of waiting that a hand-over to another thread is cheaper than."""

SLOW_RUNS = 8
SLOW_FOR = 1.0


class SlowSources:
    """Keeps account of the runs on the leader, by source. What followers take says nothing: they wait for each
    other."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._runs: dict[int, int] = {}
        self._until: dict[int, float] = {}

    def is_slow(self, source: int) -> bool:
        return source in self._until and self._until[source] > self._now()

    def note(self, source: int, waited: float) -> None:
        """A run of `source` has ended, or goes on without the leader, after `waited` seconds in which it did
        nothing."""
        if waited <= SLOW:
            self._runs.pop(source, None)
            return
        runs = self._runs[source] = self._runs.get(source, 0) + 1
        if runs >= SLOW_RUNS:
            del self._runs[source]
            self._until[source] = self._now() + SLOW_FOR
