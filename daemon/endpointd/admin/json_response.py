"""How the API writes JSON."""

import json
from typing import Any

from starlette.responses import JSONResponse


class Json(JSONResponse):
    """Pure ASCII: names of folders need not be text that UTF-8 can hold. The framework describes only what is a
    `JSONResponse` by its model."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
        return json.dumps(content).encode()
