"""`GET /cat.svg`: the picture alone, sharp at any size."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from drawing.look import Look
from drawing.svg import svg
from werkzeug import Request, Response


class CatSvg(Endpoint):
    """Answers with the cat as an animated SVG in the colours of the settings."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Draw the picture."""
        return Response(svg(Look.of(settings)), mimetype="image/svg+xml")
