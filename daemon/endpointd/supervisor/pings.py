"""Decides when a worker is sent a ping, when it is doubted that it responds, and when it is given up. Pure.

Times are in seconds of the monotonic clock.
"""

DOUBT = 1.0
"""Seconds without an answer after which a worker gets no more requests. It may still answer later, for example after a
pause of the machine, or when native code has released the interpreter."""


class Pings:
    """`clock` is the time for an answer in seconds; 0 means that there are no regular pings."""

    def __init__(self, clock: float) -> None:
        self.is_doubtful = False
        self.is_over = False
        """Whether the time for an answer has run out."""
        self._clock = clock
        self._number = 0
        self._asked: float | None = None
        """When the first ping was sent that is not answered yet; None if all are."""
        self._heard = 0.0

    def is_due(self, now: float) -> bool:
        """Whether it is time for the next ping."""
        return self._clock > 0 and self._asked is None and now - self._heard >= self._clock / 2

    def sent(self, now: float) -> int:
        """Note that a ping is sent. Returns its number."""
        self._number += 1
        if self._asked is None:
            self._asked = now
        return self._number

    def answered(self, now: float) -> bool:
        """Note that the worker has answered. Returns whether it was in doubt."""
        was_doubtful, self.is_doubtful = self.is_doubtful, False
        self._asked = None
        self._heard = now
        return was_doubtful

    def doubt(self) -> None:
        self.is_doubtful = True

    def look(self, now: float) -> bool:
        """Whether the time for an answer has run out. Before that, after `DOUBT` seconds, the worker becomes
        doubtful."""
        if self._asked is None or not self._clock:
            return False
        if now - self._asked > DOUBT:
            self.is_doubtful = True
        self.is_over = self.is_over or now - self._asked > self._clock
        return self.is_over
