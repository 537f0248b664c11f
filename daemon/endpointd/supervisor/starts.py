"""Limits how many workers may be starting at once, and decides which is next: plugins with fewer failures go first, and
among equals those for which a request waits.

Importing needs a processor. Without a limit, two hundred broken plugins that fail and restart together would keep one
good plugin from becoming ready in time.
"""

import asyncio
from bisect import insort
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from typing import TypeAlias

HOLD = 5.0
"""Seconds after which a worker that is still starting gives up its place: it probably waits for something rather than
uses a processor, and must not keep others waiting."""


Turn: TypeAlias = "tuple[int, bool, int, asyncio.Future[None]]"
"""The sort key and the future of one that waits for a place: failures so far, whether no request waits for the worker,
a serial number, and the future that is done when it has the place."""


class Starts:
    """Places for at most `limit` workers that are starting."""

    def __init__(self, limit: int) -> None:
        self._limit = self._free = limit
        """`_free` is negative while more workers are starting than a lowered limit allows."""
        self._waiting: list[Turn] = []
        self._turns: dict[object, Turn] = {}
        """The same by `who` waits, for `hurry`. Those that wait without a `who` share the key None."""
        self._numbers = count()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def limit(self, limit: int) -> None:
        """Set the number of places. Workers that are starting go on."""
        self._free += limit - self._limit
        self._limit = limit
        self._advance()

    @asynccontextmanager
    async def place(self, failures: int, who: object = None, *, awaited: bool = False) -> AsyncIterator[None]:
        """A context manager that waits for a place, and gives it up at the end of the block or after `HOLD` seconds.
        `awaited` says that a request waits for the worker; `who` is a key with which `hurry` can say so later."""
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
        """Note that a request waits for the worker. Does nothing if the worker does not wait for a place, or a request
        waits for it already."""
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
