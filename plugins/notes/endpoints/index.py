"""All notes by their names."""

import json
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from shelf import Shelf
from werkzeug import Request, Response


class Index(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        return Response(json.dumps(Shelf(self.session).names()) + "\n", mimetype="application/json")
