"""Changes to what is stored, and to what is known of it in memory: one at a time, and each to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Changes:
    """`load` reads anew what is stored. It is called before a change when it is in doubt whether that is known."""

    def __init__(self, load: Callable[[], Awaitable[None]]) -> None:
        self._load = load
        self._changing = asyncio.Lock()
        self._doing: set[asyncio.Task[Any]] = set()
        self.in_doubt = False
        """Whether the store has refused something: another process may have changed it, or a connection may have broken
        before it said whether a change was made. Whoever loads ends it."""

    @property
    def are_under_way(self) -> bool:
        return bool(self._doing)

    async def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """It goes on to its end when whoever has asked for it is gone."""

        async def alone() -> T:
            async with self._changing:
                if self.in_doubt:
                    await self._load()
                return await work()

        task = asyncio.create_task(alone())
        self._doing.add(task)
        task.add_done_callback(self._ended)
        # Unlike awaiting the task itself, this leaves it alone when the caller is gone.
        await asyncio.wait([task])
        return task.result()

    async def in_store(self, act: Callable[[], None]) -> None:
        """Do something that blocks, in a thread. What it raises leaves open whether it was done."""
        try:
            await asyncio.to_thread(act)
        except BaseException:
            self.in_doubt = True
            raise

    async def over(self) -> None:
        """Returns when every change that was begun has its end."""
        while self._doing:
            await asyncio.wait(self._doing)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._doing.discard(task)
        if not task.cancelled():
            # Nobody may be left to be told of an error, and asyncio would complain.
            task.exception()
