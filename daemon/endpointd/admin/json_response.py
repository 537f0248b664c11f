"""The API's JSON responses."""

import json
from typing import Any

from starlette.responses import JSONResponse


class Json(JSONResponse):
    """A JSON response in pure ASCII, because names of folders may contain surrogates, which UTF-8 cannot encode. It is
    a `JSONResponse`, because FastAPI describes the models of no other responses."""

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
        return json.dumps(content).encode()
