"""`GET /`: the page around the cat."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from dify_plugin import Endpoint
from drawing.look import Look
from drawing.svg import svg
from werkzeug import Request, Response

PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


class CatPage(Endpoint):
    """Answers with one HTML page that needs nothing else: picture, style and script are inside."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Fill the page with the picture and the greeting that the settings ask for."""
        look = Look.of(settings)
        greeting = settings.get("greeting", "Nyan!")
        return Response(PAGE.substitute(greeting=escape(greeting), picture=svg(look)), mimetype="text/html")
