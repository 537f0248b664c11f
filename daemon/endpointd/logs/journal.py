"""A ring buffer of the recent lines of one plugin: what it printed, what it logged, and what happened to it.

All readers share the buffer, each with its own position. A reader that is too slow loses the oldest lines and is told
how many; neither the plugin nor another reader ever waits for it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Any, Literal, Self, TypeAlias

MAX_LINES = 1000
MAX_BYTES = 256 * 1024

Stream: TypeAlias = Literal["output", "log", "event"]
"""output: a line that the plugin printed. log: a record of its `logging`. event: what the daemon did with the plugin or
noticed about it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line, or one record with line breaks (a traceback). `at` is in seconds since the epoch; `lost` is how many
    entries are missing before this one, because the reader was too slow; `pid` tells whose it is, where several workers
    speak."""

    at: float
    stream: Stream
    text: str
    level: str | None = None
    request: str | None = None
    lost: int = 0
    pid: int | None = None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class Journal:
    """Holds at most `max_lines` entries with at most `max_bytes` of text. `now` returns the seconds since the epoch.

    To be used in the event loop's thread only.
    """

    def __init__(self, max_lines: int = MAX_LINES, max_bytes: int = MAX_BYTES, *, now: Callable[[], float]) -> None:
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._now = now
        self._entries: deque[tuple[Entry, int]] = deque()
        self._bytes = 0
        self._first = 0
        """The number of the oldest entry that is still there; the very first one had 0."""
        self._closed = False
        self._followers: set[Follower] = set()

    def append(
        self,
        stream: Stream,
        text: str,
        level: str | None = None,
        request: str | None = None,
        pid: int | None = None,
    ) -> None:
        """Add an entry. The text is cut to a quarter of `max_bytes`."""
        text, size = _cut(text, self._max_bytes // 4)
        self._entries.append((Entry(self._now(), stream, text, level, request, pid=pid), size))
        self._bytes += size
        while len(self._entries) > self._max_lines or self._bytes > self._max_bytes:
            self._bytes -= self._entries.popleft()[1]
            self._first += 1
        for follower in self._followers:
            follower.wake()

    def tail(self, n: int) -> list[Entry]:
        """The latest `n` entries, the oldest first."""
        return [entry for entry, _ in islice(self._entries, max(0, len(self._entries) - n), None)]

    def follow(self, n: int = 0) -> "Follower":
        """Iterate over the latest `n` entries, and then over new ones: `async for entry in journal.follow()`."""
        follower = Follower(self, self._end - min(n, len(self._entries)))
        if self._closed:
            follower.close()
        else:
            self._followers.add(follower)
        return follower

    def close(self) -> None:
        """End the journal of a plugin that is gone. Followers still read the entries that are there, and then end."""
        self._closed = True
        for follower in list(self._followers):
            follower.close()

    @property
    def followers(self) -> int:
        return len(self._followers)

    @property
    def _end(self) -> int:
        return self._first + len(self._entries)

    # For followers

    def _read(self, place: int) -> tuple[Entry | None, int]:
        """The entry at `place`, or the oldest one if that is lost, and the place after it. The entry is None if there
        is none yet."""
        lost = max(0, self._first - place)
        place += lost
        if place == self._end:
            return None, place
        entry = self._entries[place - self._first][0]
        return (replace(entry, lost=lost) if lost else entry), place + 1

    def _leave(self, follower: "Follower") -> None:
        self._followers.discard(follower)


class Follower:
    """One reader of a journal, an asynchronous iterator. After `close` it yields the remaining entries and ends. A
    reader that stops earlier must call `close` too."""

    def __init__(self, journal: Journal, place: int) -> None:
        self._journal = journal
        self._place = place
        self._news = asyncio.Event()
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Entry:
        while True:
            self._news.clear()
            entry, self._place = self._journal._read(self._place)
            if entry is not None:
                return entry
            if self._closed:
                raise StopAsyncIteration
            await self._news.wait()

    def wake(self) -> None:
        self._news.set()

    def close(self) -> None:
        self._closed = True
        self._journal._leave(self)
        self.wake()


def _cut(text: str, most: int) -> tuple[str, int]:
    """The text, cut to `most` bytes of UTF-8 if it is longer, and its size in bytes."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) <= most:
        return text, len(data)
    return data[:most].decode("utf-8", "ignore") + " … (cut)", most
