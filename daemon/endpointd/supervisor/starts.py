"""How many workers may be starting at once, and who is next: plugins that never failed go before those that did, and
of those that have failed as often, the ones that a request waits for.

Importing is work for a processor. Without a bound, two hundred broken plugins that fall and rise together would keep
one good plugin from ever becoming ready within its clock.
"""

import asyncio
from bisect import insort
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import TypeAlias

HOLD = 5.0
"""Seconds after which a worker that is still starting gives its place up: it waits for something rather than work, and
must not keep others waiting with it."""


Turn: TypeAlias = "tuple[int, bool, int, asyncio.Future[None]]"
"""Failures so far, whether nobody waits for the worker, the number of arrival, and the future that is done when the
place is there."""


class Starts:
    """Places for `limit` workers that are starting."""

    def __init__(self, limit: int) -> None:
        self._limit = self._free = limit
        """Free are less than none as long as more are starting than may since the limit was lowered."""
        self._waiting: list[Turn] = []
        self._turns: dict[object, Turn] = {}
        """The same, by who waits; of those alone that told who they are."""
        self._numbers = count()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def limit(self, limit: int) -> None:
        """Another number of places. Who is starting goes on."""
        self._free += limit - self._limit
        self._limit = limit
        self._advance()

    @asynccontextmanager
    async def place(self, failures: int, who: object = None, *, awaited: bool = False) -> AsyncIterator[None]:
        """Wait for a place; it is given up at the end of the block, or after `HOLD` seconds. `awaited` tells that a
        request waits for the worker, and `who` whom to `hurry` when one comes later."""
        await self._enter(failures, who, awaited=awaited)
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

    def hurry(self, who: object) -> None:
        """A request waits for the worker. Nothing happens when it waits for no place, or is awaited already."""
        turn = self._turns.get(who)
        if turn is not None and turn in self._waiting:
            failures, is_unawaited, number, future = turn
            if is_unawaited:
                self._waiting.remove(turn)
                self._turns[who] = sooner = (failures, False, number, future)
                insort(self._waiting, sooner)

    async def _enter(self, failures: int, who: object, *, awaited: bool) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        turn = (failures, not awaited, next(self._numbers), future)
        self._turns[who] = turn
        insort(self._waiting, turn)
        self._advance()
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                # The place came at the same moment.
                self._free += 1
            else:
                self._waiting = [other for other in self._waiting if other[-1] is not future]
            self._advance()
            raise
        finally:
            self._turns.pop(who, None)

    def _advance(self) -> None:
        while self._free > 0 and self._waiting:
            *_, future = self._waiting.pop(0)
            if not future.done():
                self._free -= 1
                future.set_result(None)
