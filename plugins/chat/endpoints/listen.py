"""`GET /<room>`: what is said in the room, as server-sent events without an end."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import rooms
from dify_plugin import Endpoint
from werkzeug import Request, Response

log = logging.getLogger(__name__)


class Listen(Endpoint):
    """Each listener is a task that waits for the next message, and takes no thread."""

    async def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Begin at once."""
        return Response(
            events(values["room"]),  # type: ignore[arg-type]
            mimetype="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


async def events(room: str) -> AsyncIterator[str]:
    """The stream itself. When its client leaves, the wait for the next message is cancelled."""
    try:
        async with aclosing(rooms.listen(room)) as messages:  # type: ignore[type-var]
            yield ": welcome\n\n"
            async for text in messages:
                yield f"data: {json.dumps(text)}\n\n"
    finally:
        log.info("a listener has left %s", room)
