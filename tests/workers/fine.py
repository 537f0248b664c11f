"""Behaves: tells which process it runs in."""

import json
import os
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response


class Fine(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:  # noqa: ARG002
        return Response(json.dumps({"pid": os.getpid()}), content_type="application/json")
