"""When a service manager's watchdog is to be fed: often enough, and only while the event loop keeps its times. Pure."""

from collections.abc import Mapping

LONGEST = 1.0
"""Seconds between two looks where nobody asks for more."""


def allowance(environment: Mapping[str, str], pid: int) -> float | None:
    """The seconds after which the manager takes the process `pid` for hung; None when it does not watch it."""
    text = environment.get("WATCHDOG_USEC", "")
    if not text.isdecimal() or int(text) == 0 or environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(text) / 1_000_000


class Pulse:
    """`beat` at each look says whether the loop is as it should be.

    A look that comes late says that something has blocked the loop. It gets no credit for being alive again: a daemon
    that stutters like that all the time is as good as hung, and the manager is to find it so.
    """

    def __init__(self, allowed: float | None) -> None:
        self.period = LONGEST if allowed is None else min(LONGEST, allowed / 4)
        """Seconds from one look to the next."""
        self._latest = self.period if allowed is None else allowed / 2
        self._last: float | None = None

    def beat(self, now: float) -> float | None:
        """None when this look is in time; else by how many seconds it is late."""
        last, self._last = self._last, now
        late = 0.0 if last is None else now - last - self.period
        return late if late > self._latest else None
