"""Decides when to feed the service manager's watchdog: often enough, and only if the event loop is not late. Pure."""

from collections.abc import Mapping

LONGEST = 1.0
"""The longest time in seconds between two beats."""


def allowance(environment: Mapping[str, str], pid: int) -> float | None:
    """The seconds without a message after which the manager regards the process `pid` as hung; None if it does not
    watch this process."""
    text = environment.get("WATCHDOG_USEC", "")
    if not text.isdecimal() or int(text) == 0 or environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(text) / 1_000_000


class Pulse:
    """Measures whether the event loop is late. `beat` is to be called every `period` seconds.

    A late beat means that something has blocked the loop; the watchdog should not be fed then, even though the loop
    runs again: a daemon that is blocked again and again is as good as hung, and should be restarted by the manager.
    """

    def __init__(self, allowed: float | None) -> None:
        self.period = LONGEST if allowed is None else min(LONGEST, allowed / 4)
        """Seconds between two beats."""
        self._latest = self.period if allowed is None else allowed / 2
        self._last: float | None = None

    def beat(self, now: float) -> float | None:
        """None if this beat is in time; else the seconds by which it is late. `now` is the event loop's time."""
        last, self._last = self._last, now
        late = 0.0 if last is None else now - last - self.period
        return late if late > self._latest else None
