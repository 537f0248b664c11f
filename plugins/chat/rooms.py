"""Who listens where. All requests are tasks of one loop, so nothing here needs a lock."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

MAX_WAITING = 100
"""Messages that wait for a listener who does not take them; older ones are dropped."""

_rooms: defaultdict[str, set["asyncio.Queue[str]"]] = defaultdict(set)


async def listen(room: str) -> AsyncIterator[str]:
    """What is said in the room from now on."""
    queue: asyncio.Queue[str] = asyncio.Queue(MAX_WAITING)
    _rooms[room].add(queue)
    try:
        while True:
            yield await queue.get()
    finally:
        _rooms[room].discard(queue)
        if not _rooms[room]:
            del _rooms[room]


def say(room: str, text: str) -> int:
    """Let everybody in the room hear it; returns how many they are."""
    listeners = _rooms.get(room, set())
    for queue in listeners:
        if queue.full():
            queue.get_nowait()
        queue.put_nowait(text)
    return len(listeners)
