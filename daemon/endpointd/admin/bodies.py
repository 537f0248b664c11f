"""JSON in the bodies of calls: held to a size and a clock, and refused when it is none, whatever it is instead."""

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from endpointd.admin.receiving import BodyTooLarge, received
from endpointd.errors import OperatorError, UsageError

MOST = 4 * 1024 * 1024
"""Bytes. It is read at once, so that all else waits meanwhile; the largest file of endpoints is much smaller."""

PATIENCE = 30.0
"""Seconds that a body may take."""


class BoundedRoute(APIRoute):
    """Only where a body is JSON; what reads its body by itself is left alone."""

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
    """What its super class keeps of the body is what these give."""

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
            # No text in Unicode, a number of too many digits, lists within lists.
            raise json.JSONDecodeError("it cannot be read", "", 0) from None
