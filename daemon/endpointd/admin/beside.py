"""Combines two ASGI applications: one at some paths, the other one everywhere else."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from endpointd.admin.gatekeeper import is_within


class Beside:
    def __init__(self, app: ASGIApp, paths: Sequence[str], other: ASGIApp) -> None:
        """`app` gets the requests at `paths` and below them, `other` all others. "/" is only that path itself."""
        self._app = app
        self._paths = tuple(paths)
        self._other = other

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        within = any(is_within(scope["path"], path) for path in self._paths)
        await (self._app if within else self._other)(scope, receive, send)
