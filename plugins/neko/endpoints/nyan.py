"""`GET /nyan/<name>`: a greeting for someone."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response


class Nyan(Endpoint):
    """Answers with the greeting of the settings and the name of the path, as plain text."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Greet `values["name"]`, which is decoded: any script, any sign but a slash."""
        greeting = settings.get("greeting", "Nyan!")
        return Response(f"{greeting} {values['name']}\n", mimetype="text/plain")
