"""How the API writes JSON."""

import json
from typing import Any

from starlette.responses import Response


class Json(Response):
    """Pure ASCII: names of folders need not be text that UTF-8 can hold."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
        return json.dumps(content).encode()
