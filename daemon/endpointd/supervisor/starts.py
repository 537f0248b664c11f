"""How many workers may be starting at once, and who is next: plugins that never failed go before those that did.

Importing is work for a processor. Without a bound, two hundred broken plugins that fall and rise together would keep
one good plugin from ever becoming ready within its clock.
"""

import asyncio
from bisect import insort
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count

HOLD = 5.0
"""Seconds after which a worker that is still starting gives its place up: it waits for something rather than work, and
must not keep others waiting with it."""


class Starts:
    """Places for `limit` workers that are starting."""

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        """Failures so far, number of arrival, and the future that is done when the place is there."""
        self._numbers = count()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @asynccontextmanager
    async def place(self, failures: int) -> AsyncIterator[None]:
        """Wait for a place; it is given up at the end of the block, or after `HOLD` seconds."""
        await self._enter(failures)
        released = False

        def release() -> None:
            nonlocal released
            if not released:
                released = True
                self._free += 1
                self._advance()

        timer = asyncio.get_running_loop().call_later(HOLD, release)
        try:
            yield
        finally:
            timer.cancel()
            release()

    async def _enter(self, failures: int) -> None:
        turn = (failures, next(self._numbers), asyncio.get_running_loop().create_future())
        insort(self._waiting, turn)
        self._advance()
        try:
            await turn[2]
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn[2].done() and not turn[2].cancelled():
                # The place came at the same moment.
                self._free += 1
                self._advance()
            raise

    def _advance(self) -> None:
        while self._free and self._waiting:
            *_, future = self._waiting.pop(0)
            if not future.done():
                self._free -= 1
                future.set_result(None)
