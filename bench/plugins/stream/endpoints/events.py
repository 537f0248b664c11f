"""Sends as many server-sent events as the path asks for, as fast as they are taken."""

from collections.abc import Iterator, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

EVENT = b"data: " + b"x" * 92 + b"\n\n"


class Events(Endpoint):
    """Answers ``GET /events/<int:count>`` with that many events of 100 bytes, each a chunk of its own."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        return Response(events(values["count"]), content_type="text/event-stream")


def events(count: int) -> Iterator[bytes]:
    """Yield the same event over and over: what is measured is the way out."""
    for _ in range(count):
        yield EVENT
