"""Reckons in plain Python, which holds the interpreter's lock: what one process cannot do twice at a time."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

STEPS = 100_000


class Reckon(Endpoint):
    """Answers ``GET /reckon`` with the sum of the first squares."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        return Response(str(sum(number * number for number in range(STEPS))))
