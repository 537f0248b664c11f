"""Reads a request body to its end, 64 KiB at a time, and says how long it was."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

READ_SIZE = 64 * 1024


class Inbound(Endpoint):
    """Answers ``POST /in`` with the number of bytes in the body, in decimal."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        received = 0
        while piece := r.stream.read(READ_SIZE):
            received += len(piece)
        return Response(str(received), content_type="text/plain")
