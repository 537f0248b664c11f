"""Reads a JSON document and answers with the same one."""

import json
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response


class Document(Endpoint):
    """Answers ``POST /document`` with the JSON of its body, and with one of its headers."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        text = json.dumps(r.get_json(), separators=(",", ":"))
        return Response(text, headers={"X-Seen": r.headers["X-Field-19"]}, content_type="application/json")
