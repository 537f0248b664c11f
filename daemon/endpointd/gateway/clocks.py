"""Checks the timeouts (clocks) of all requests under way, together and ten times a second.

This is cheaper than a timer for each request: it only costs each request an entry in a queue. The duration of one round
is limited, because it blocks the event loop.
"""

import asyncio
from collections import OrderedDict
from itertools import islice
from typing import Protocol

PERIOD = 0.1
"""Seconds between two rounds, and so how late a timeout may be noticed if there are no more than `MOST` entries."""

MOST = 1000
"""How many entries are checked in one round, which takes less than a millisecond. With ten thousand entries, each is
checked once a second."""


class Timed(Protocol):
    def check(self, now: float) -> None:
        """Act if a timeout has run out at `now`, the event loop's time."""


class Clocks:
    def __init__(self) -> None:
        self._timed: OrderedDict[Timed, None] = OrderedDict()
        """The entries, those that are checked next first."""
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
                # It was discarded by the check of an earlier one.
                continue
            self._timed.move_to_end(timed)
            try:
                timed.check(loop.time())
            # If it were raised, the entries behind this one would not be checked.
            except Exception as error:  # noqa: BLE001
                loop.call_exception_handler({"message": f"the clocks of {timed!r} fail", "exception": error})
