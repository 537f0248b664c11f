"""`GET /<path:name>`: a file of the folder, whole, in part, or not at all when the client has it already."""

from collections.abc import Mapping
from typing import Any

from dify_plugin import Endpoint
from folder import PUBLIC
from werkzeug import Request, Response
from werkzeug.utils import send_from_directory


class File(Endpoint):
    """Leaves the work to werkzeug: type, ETag, `If-None-Match`, `If-Modified-Since`, `Range`, `If-Range`."""

    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Send the file; raises `NotFound` when there is none, or when the name leads out of the folder."""
        return send_from_directory(PUBLIC, values["name"], r.environ, max_age=cache_seconds(settings))


def cache_seconds(settings: Mapping[str, Any]) -> int:
    """The setting as a number. Raises `ValueError`, which says in the plugin's log what is wrong with it."""
    text = settings.get("cache_seconds", "3600")
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"the setting cache_seconds is {text!r}; write a whole number of seconds, for example 3600")
    return int(text)
