"""Routes for monitoring systems: whether the daemon is alive, whether it is ready, and its metrics.

The first two need no token, so they contain no names of plugins or endpoints.
"""

from fastapi import APIRouter
from starlette.responses import PlainTextResponse, Response

from endpointd.admin.control import Observed

HEALTH = "/healthz"
READY = "/readyz"
METRICS = "/metrics"

OPEN = (HEALTH, READY)
"""The paths that need no token."""

_FRESH = {"Cache-Control": "no-store"}


def observed_routes(observed: Observed) -> APIRouter:
    api = APIRouter(include_in_schema=False)

    @api.api_route(HEALTH, methods=["GET", "HEAD"])
    async def healthz() -> Response:
        # An answer is sufficient: it shows that the event loop runs.
        return PlainTextResponse("alive\n", headers=_FRESH)

    @api.api_route(READY, methods=["GET", "HEAD"])
    async def readyz() -> Response:
        status, text = observed.readiness().page()
        return PlainTextResponse(text, status, headers=_FRESH)

    @api.get(METRICS)
    async def metrics() -> Response:
        text, kind = await observed.metrics()
        return Response(text, headers={**_FRESH, "Content-Type": kind})

    return api
