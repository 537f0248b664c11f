"""A directory that is watched, and what is told of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from endpointd.folders.watch import RESCAN, News, watch

WAIT_SECONDS = 20.0


class Watched:
    """What was told since the last question."""

    def __init__(self, directory: Path, news: AsyncIterator[News]) -> None:
        self.directory = directory
        self._news = news
        self._fence = 0
        self._rescans = 0

    async def next(self) -> News:
        async with asyncio.timeout(WAIT_SECONDS):
            news = await anext(self._news)
        self._rescans += news is RESCAN
        return news

    async def begun(self, times: int) -> None:
        """Wait until changes are noticed for the `times`th time, if they have not been yet."""
        while self._rescans < times:
            await self.next()

    async def rescan(self) -> set[str]:
        """Wait for the next `RESCAN`; the names that were told before."""
        names: set[str] = set()
        while (news := await self.next()) is not RESCAN:
            names |= news
        return names

    async def heard(self, *expected: str) -> set[str]:
        """All names until `expected` were told."""
        names: set[str] = set()
        while not set(expected) <= names:
            news = await self.next()
            names |= set() if news is RESCAN else news
        return names

    async def told(self, *expected: str) -> set[str]:
        """All names until `expected` were told, and everything that happened before."""
        return await self.heard(*expected) | await self.before_now()

    async def before_now(self) -> set[str]:
        """The names that are told for what has happened up to now: a fence is made, and waited for."""
        self._fence += 1
        fence = f"fence-{self._fence}"
        (self.directory / fence).mkdir()
        names: set[str] = set()
        while fence not in names:
            news = await self.next()
            names |= set() if news is RESCAN else news
        return {name for name in names if not name.startswith("fence-")}


@asynccontextmanager
async def watching(directory: Path, poll: bool | None = None) -> AsyncIterator[Watched]:
    stop = asyncio.Event()
    news = watch(directory, poll, stop)
    watched = Watched(directory, news)
    try:
        assert await watched.rescan() == set()
        yield watched
    finally:
        stop.set()
        async with asyncio.timeout(WAIT_SECONDS):
            async for _ in news:
                pass
        assert "watch" not in {thread.name for thread in threading.enumerate()}


def write(folder: Path, text: str = "name: x") -> Path:
    (folder / "endpoints").mkdir(parents=True, exist_ok=True)
    (folder / "manifest.yaml").write_text(text)
    (folder / "endpoints" / "a.py").write_text("a = 1")
    return folder


def run(plugins: Path, poll: bool | None, body: Callable[[Watched], Coroutine[Any, Any, None]]) -> None:
    async def whole() -> None:
        async with watching(plugins, poll) as watched:
            await body(watched)

    asyncio.run(whole())
