"""`POST /<room>`: say something."""

from collections.abc import Mapping
from typing import Any

import rooms
from dify_plugin import Endpoint
from werkzeug import Request, Response


class Say(Endpoint):
    """The body, all of which is there when `_invoke` is called, is the message."""

    async def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        """Tell everybody, and the speaker how many they are."""
        heard = rooms.say(values["room"], r.get_data(as_text=True))
        return Response(f"{heard} heard it\n", mimetype="text/plain")
