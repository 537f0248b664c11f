"""How many lines of a plugin go to the log: so many in a second in the long run, and a burst besides. Pure.

The plugin's own journal, which is a ring in memory, has all of them.
"""

BURST = 10
"""Seconds' worth of lines that may come at once."""


class FloodGate:
    """`rate` is lines in a second; 0 lets everything through. Times are in seconds of a monotonic clock."""

    def __init__(self, rate: int) -> None:
        self.left_out = 0
        """All lines that did not get through."""
        self._untold = 0
        self._rate = rate
        self._room = float(rate * BURST)
        self._at: float | None = None

    def limit(self, rate: int) -> None:
        self._rate, self._room = rate, float(rate * BURST)

    def admits(self, now: float) -> bool:
        """Whether a line that comes now is logged; it is counted when it is not."""
        if not self._rate:
            return True
        passed = 0.0 if self._at is None else now - self._at
        self._at = now
        self._room = min(self._rate * BURST, self._room + passed * self._rate)
        if self._room >= 1:
            self._room -= 1
            return True
        self.left_out += 1
        self._untold += 1
        return False

    def take_untold(self) -> int:
        """How many lines were left out since this was asked last."""
        untold, self._untold = self._untold, 0
        return untold
