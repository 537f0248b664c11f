"""Streams a plugin's log to a browser, as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable

from starlette.responses import StreamingResponse

from endpointd.admin.followers import Followers
from endpointd.logs.journal import Entry, Journal

TAIL = 200
"""The number of latest lines with which the stream begins."""

BEAT = 15.0
"""Seconds after which a quiet stream sends a comment, so that the connection stays open; also the interval of the check
whether the stream may go on."""


def log_stream(journal: Journal, followers: Followers, may_go_on: Callable[[], bool]) -> StreamingResponse:
    """Stream the latest lines and then new ones, until the plugin or the daemon ends or `may_go_on` returns False."""

    async def events() -> AsyncIterator[bytes]:
        # A browser that reconnects gets all lines again, so tell the page to clear what it shows.
        yield b"event: begin\ndata: \n\n"
        with followers.joined(journal.follow(TAIL)) as follower:
            loop = asyncio.get_running_loop()
            asked = loop.time()
            while True:
                try:
                    async with asyncio.timeout(BEAT):
                        entry = await anext(follower, None)
                except TimeoutError:
                    yield b": still here\n\n"
                else:
                    if entry is None:
                        break
                    yield _event(entry)
                if loop.time() - asked >= BEAT:
                    asked = loop.time()
                    if not may_go_on():
                        break
        yield b"event: over\ndata: \n\n"

    return StreamingResponse(events(), media_type="text/event-stream")


def _event(entry: Entry) -> bytes:
    return b"data: " + json.dumps(entry.as_dict()).encode() + b"\n\n"
