"""A whole application from elsewhere, mounted in a plugin."""

import logging
from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response

# It complains on import that an optional part of it is not installed.
logging.getLogger("httpbin.core").setLevel(logging.ERROR)

from httpbin import app  # type: ignore[import-untyped]  # noqa: E402


class Mounted(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        return Response.from_app(app, r.environ)
