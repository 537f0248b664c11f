"""`GET /cat/<width>.gif`: the picture as a GIF, sent while it is drawn."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from drawing.animation import gif_pieces
from drawing.look import Look
from werkzeug import Request, Response


class CatGif(Endpoint):
    """Answers with the cat as an animated GIF, `values["width"]` pixels wide."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Stream the GIF frame by frame; the path's converter has made the width an int within its bounds."""
        return Response(gif_pieces(values["width"], Look.of(settings)), mimetype="image/gif")
