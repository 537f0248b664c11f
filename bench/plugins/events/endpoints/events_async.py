"""Events without an end, a task for each stream. The benchmark puts this in the place of ``events.py``."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

INTERVAL = 5.0
"""Seconds from one event to the next."""


class Events(Endpoint):
    """Answers ``GET /events``."""

    async def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        return Response(events(), mimetype="text/event-stream")  # type: ignore[arg-type]


async def events() -> AsyncIterator[str]:
    """Yield the time, now and then."""
    while True:
        yield f"data: {time.time()}\n\n"
        await asyncio.sleep(INTERVAL)
