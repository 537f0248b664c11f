"""Events without an end, a thread for each stream."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

INTERVAL = 5.0
"""Seconds from one event to the next."""


class Events(Endpoint):
    """Answers ``GET /events``."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        return Response(events(), mimetype="text/event-stream")


def events() -> Iterator[str]:
    """Yield the time, now and then."""
    while True:
        yield f"data: {time.time()}\n\n"
        time.sleep(INTERVAL)
