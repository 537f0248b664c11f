"""Limits how many lines of a plugin's output are logged: a rate per second in the long run, with bursts. Pure.

The plugin's journal, a ring buffer in memory, gets all lines.
"""

BURST = 10
"""How many seconds' worth of lines may come at once."""


class FloodGate:
    """A token bucket. `rate` is in lines per second; 0 lets everything through. Times are in seconds of a monotonic
    clock."""

    def __init__(self, rate: int) -> None:
        self.left_out = 0
        """How many lines did not get through altogether."""
        self._untold = 0
        self._rate = rate
        self._room = float(rate * BURST)
        self._at: float | None = None

    def limit(self, rate: int) -> None:
        self._rate, self._room = rate, float(rate * BURST)

    def admits(self, now: float) -> bool:
        """Whether a line that comes now is to be logged. Counts it if not."""
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
        """How many lines were left out since the last call."""
        untold, self._untold = self._untold, 0
        return untold
