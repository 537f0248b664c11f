"""Runs changes of stored data and of its copy in memory one at a time, and each to its end."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

T = TypeVar("T")


class Changes:
    """`load` reads all data from the store again. It is called before a change if memory and store may differ."""

    def __init__(self, load: Callable[[], Awaitable[None]]) -> None:
        self._load = load
        self._changing = asyncio.Lock()
        self._doing: set[asyncio.Task[Any]] = set()
        self.in_doubt = False
        """Whether memory and store may differ, because the store has raised an error: another process may have changed
        the data, or a connection may have broken before the store confirmed a change. `load` must reset it."""

    async def do(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` alone and return its result. It is completed even if the caller is cancelled."""

        async def alone() -> T:
            async with self._changing:
                if self.in_doubt:
                    await self._load()
                return await work()

        task = asyncio.create_task(alone())
        self._doing.add(task)
        task.add_done_callback(self._ended)
        # Unlike awaiting the task itself, this does not cancel it when the caller is cancelled.
        await asyncio.wait([task])
        return task.result()

    async def in_store(self, act: Callable[[], None]) -> None:
        """Run `act`, which changes the store and blocks, in a thread. After an exception it is not known whether the
        change was made."""
        try:
            await asyncio.to_thread(act)
        except BaseException:
            self.in_doubt = True
            raise

    async def over(self) -> None:
        """Wait until every change that was begun is complete."""
        while self._doing:
            await asyncio.wait(self._doing)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._doing.discard(task)
        if not task.cancelled():
            # Retrieve the exception: if the caller is gone, asyncio would log that it was never retrieved.
            task.exception()
