"""The clocks of all requests under way, looked at together a few times a second.

A timer for each request would cost every request something; this costs each a place in a queue. What a look may take is
bounded, because all other requests wait for it.
"""

import asyncio
from collections import OrderedDict
from itertools import islice
from typing import Protocol

PERIOD = 0.1
"""Seconds between two looks, and so how late a clock may run out, as long as there are no more than `MOST`."""

MOST = 1000
"""How many are looked at together, which takes less than a millisecond. Of ten thousand, each has one look a second."""


class Timed(Protocol):
    def check(self, now: float) -> None:
        """Act if a clock has run out at `now` (the event loop's time)."""


class Clocks:
    def __init__(self) -> None:
        self._timed: OrderedDict[Timed, None] = OrderedDict()
        """The next ones first."""
        self._timer: asyncio.TimerHandle | None = None

    def add(self, timed: Timed) -> None:
        self._timed[timed] = None
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PERIOD, self._look)

    def discard(self, timed: Timed) -> None:
        self._timed.pop(timed, None)

    def stop(self) -> None:
        self._timed.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(PERIOD, self._look) if self._timed else None
        for timed in [*islice(self._timed, MOST)]:
            if timed not in self._timed:
                # One before it was the end of this one.
                continue
            self._timed.move_to_end(timed)
            try:
                timed.check(loop.time())
            # Raised from here, it would keep the clocks of all behind this one from running out.
            except Exception as error:  # noqa: BLE001
                loop.call_exception_handler({"message": f"the clocks of {timed!r} fail", "exception": error})
