"""The clocks of all requests under way, looked at together a few times a second.

A timer for each request would cost every request something; this costs each a place in a set.
"""

import asyncio
from typing import Protocol

PERIOD = 0.1
"""Seconds between two looks, and so how late a clock may run out."""


class Timed(Protocol):
    def check(self, now: float) -> None:
        """Act if a clock has run out at `now` (the event loop's time)."""


class Clocks:
    def __init__(self) -> None:
        self._timed: set[Timed] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, timed: Timed) -> None:
        self._timed.add(timed)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PERIOD, self._look)

    def discard(self, timed: Timed) -> None:
        self._timed.discard(timed)

    def stop(self) -> None:
        self._timed.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PERIOD, self._look) if self._timed else None
        for timed in list(self._timed):
            try:
                timed.check(loop.time())
            # Raised from here, it would keep the clocks of all behind this one from running out.
            except Exception as error:  # noqa: BLE001
                loop.call_exception_handler({"message": f"the clocks of {timed!r} fail", "exception": error})
