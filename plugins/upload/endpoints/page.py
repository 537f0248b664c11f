"""`GET /`: a page with the form to upload from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

PAGE = Path(__file__).with_name("page.html").read_text(encoding="utf-8")


class UploadPage(Endpoint):
    """Answers with a page that sends files both ways: as a stream, and as a form."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Show the page."""
        return Response(PAGE, mimetype="text/html")
