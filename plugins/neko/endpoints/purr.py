"""`GET /purr`: an interface that no list shows.

It is written with `Enterpoint`, the other spelling that the documentation has for `Endpoint`. Only some versions of
`dify_plugin` know it, so prefer `Endpoint`.
"""

from collections.abc import Mapping
from typing import Any

from dify_plugin import Enterpoint
from werkzeug import Request, Response

LIVES = 9


class Purr(Enterpoint):
    """Streams one line for each of the cat's lives, each longer than the one before."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Purr."""
        lines = (f"pu{'r' * (life + 1)}\n" for life in range(1, LIVES + 1))
        return Response(lines, mimetype="text/plain")
