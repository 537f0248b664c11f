"""Reads JSON request bodies with limits for size and time, and refuses everything that is not valid JSON."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from endpointd.admin.receiving import BodyTooLarge, received
from endpointd.errors import OperatorError, UsageError

MOST = 4 * 1024 * 1024
"""The most bytes of a body. Parsing it blocks the event loop; even the largest file of endpoints is much smaller."""

PATIENCE = 30.0
"""Seconds within which a body must arrive."""


class BoundedRoute(APIRoute):
    """A route whose JSON body is limited. Routes that read their body themselves are not affected."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        if self.body_field is None:
            return handle

        async def bounded(request: Request) -> Response:
            body = _Body(request.scope, request.receive)
            await body.body()
            return await handle(body)

        return bounded


class _Body(Request):
    """A request whose body is limited. The base class's other ways to read the body use these methods."""

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            try:
                self._body = await received(self, MOST, PATIENCE)
            except TimeoutError:
                what = f"the body was not whole after {PATIENCE:g} seconds"
                raise OperatorError("request_stalled", what, "send it again") from None
            except BodyTooLarge:
                what = f"the body has more than {MOST} bytes"
                raise UsageError(
                    "request_too_large", what, "declare fewer endpoints, or give them smaller settings"
                ) from None
        return self._body

    async def json(self) -> Any:  # noqa: ANN401
        try:
            return json.loads(await self.body())
        except json.JSONDecodeError:
            raise
        except (ValueError, RecursionError):
            # Invalid Unicode, a number with too many digits, or lists nested too deeply.
            raise json.JSONDecodeError("it cannot be read", "", 0) from None
