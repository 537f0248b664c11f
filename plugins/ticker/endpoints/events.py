"""`GET /events?interval=<seconds>`: server-sent events without an end.

The format is that of the HTML standard, section "Server-sent events".
"""

import json
import logging
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response
from werkzeug.exceptions import BadRequest

MIN_INTERVAL = 0.05
MAX_INTERVAL = 60.0
DEFAULT_INTERVAL = 1.0
RETRY_MILLISECONDS = 2000
# A generator learns that its client has gone when it yields. So it yields at least this often, a comment if need be,
# which also keeps proxies from taking the silence for a dead connection.
MAX_SILENCE = 0.5

log = logging.getLogger(__name__)


class Events(Endpoint):
    """Sends one event every `interval` seconds, for as long as the client listens."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Start after the event that the client saw last, or with number 1. Raises `BadRequest`."""
        interval = read_interval(r)
        first = last_seen(r) + 1
        return Response(
            events(first, interval),
            mimetype="text/event-stream",
            # Caches must not keep the stream, and nginx must not collect it before it passes it on.
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )


def read_interval(r: Request) -> float:
    """The seconds between two events that the query asks for. Raises `BadRequest`."""
    text = r.args.get("interval", str(DEFAULT_INTERVAL))
    try:
        interval = float(text)
    except ValueError:
        raise BadRequest(f"interval must be a number of seconds, not {text!r}") from None
    if not MIN_INTERVAL <= interval <= MAX_INTERVAL:  # "nan" is in no range
        raise BadRequest(f"interval must be from {MIN_INTERVAL:g} to {MAX_INTERVAL:g} seconds, not {text!r}")
    return interval


def last_seen(r: Request) -> int:
    """The number of the last event the client saw before it came back; 0 for a new client, or for an id not ours."""
    last_id = r.headers.get("Last-Event-ID", "")
    return int(last_id) if re.fullmatch("[0-9]{1,15}", last_id) else 0


def events(first: int, interval: float) -> Iterator[str]:
    """The stream itself: how soon to come back when it breaks, then an event each interval."""
    number = first
    log.info("client came, its first event is %d", first)
    try:
        yield f"retry: {RETRY_MILLISECONDS}\n\n"
        for number in count(first):
            data = json.dumps({"number": number, "time": datetime.now(UTC).isoformat()})
            yield f"id: {number}\nevent: tick\ndata: {data}\n\n"
            yield from wait(interval)
    except GeneratorExit:
        log.info("client left, its last event was %d", number)
        raise


def wait(seconds: float) -> Iterator[str]:
    """Let the time pass, with comments in between."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > MAX_SILENCE:
        time.sleep(MAX_SILENCE)
        yield ": still here\n\n"
    time.sleep(max(0.0, left))
