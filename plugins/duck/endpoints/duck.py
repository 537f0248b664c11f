"""`GET /duck/<app_id>`: the documentation's example of an endpoint."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request, Response


class Duck(Endpoint):
    """Answers with the app id of the path, streamed as one line of HTML."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Invoke the endpoint with the given request.

        `values` are the parameters of the path, `settings` what the operator filled in.
        """
        app_id = values["app_id"]

        def generator() -> Iterator[str]:
            # Whoever made the link chose the id: unescaped, it could bring a script into the page.
            yield f"{escape(app_id)} <br>"

        return Response(generator(), status=200, content_type="text/html")
