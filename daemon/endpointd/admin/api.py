"""The administration's HTTP API, `/api/v1`: lists the plugins, reports their state, and controls them.

It uses the daemon only through `Services`. FastAPI takes a third of a second to import, so only `server.py` imports
this module.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endpointd.admin.bodies import BoundedRoute
from endpointd.admin.control import Control
from endpointd.admin.description import mend_description
from endpointd.admin.documents import (
    ARCHIVE,
    PACKAGE,
    VERSION_HEADER,
    DaemonStatus,
    LogLevelDocument,
    LogLevelWanted,
    ProblemDocument,
    Reloaded,
    Rollback,
)
from endpointd.admin.endpoint_api import endpoint_routes
from endpointd.admin.environment_api import environment_routes
from endpointd.admin.followers import Followers
from endpointd.admin.json_response import Json
from endpointd.admin.observed_api import observed_routes
from endpointd.admin.parameters import PluginId
from endpointd.admin.problems import problem_of
from endpointd.admin.receiving import RequestGone
from endpointd.admin.secret_api import secret_routes
from endpointd.admin.services import Services
from endpointd.admin.token_api import token_routes
from endpointd.admin.uploads import Uploads
from endpointd.errors import OperatorError, UsageError
from endpointd.logs.journal import MAX_LINES, Entry
from endpointd.plugins.status import InstalledStatus, PluginStatus

MOST_TOLD = 50
"""The most errors that are reported about the form of one request."""

NDJSON = "application/x-ndjson"
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemDocument, "content": {"application/problem+json": {}}, "description": description}
    for status, description in {
        400: "The request is wrong, and trying again cannot help",
        401: "There is no token, or none that is good; over the network alone",
        404: "There is no such plugin, endpoint or token",
        408: "The rest of the request did not come in time",
        409: "It cannot be done as things are",
        413: "The request is too large",
        415: "The request is of the wrong type",
        422: "The request is not as described here",
        429: "Too many wrong tokens; over the network alone",
        500: "The daemon has a fault of its own",
    }.items()
}
_PLUGINS = "/api/v1/plugins"
_PLUGIN = _PLUGINS + "/{author}/{name}"


class _LogQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    lines: int = Field(default=100, ge=0, le=MAX_LINES, description="so many of the newest lines")
    follow: bool = Field(default=False, description="then go on with whatever comes")


class _InstallQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    replace: bool = Field(default=False, description="take the place of the plugin when it is installed already")


def build_api(
    services: Services,
    describe: Callable[[], DaemonStatus],
    uploads: Uploads,
    followers: Followers,
    version: str,
) -> ASGIApp:
    """Build the API's ASGI application. `describe` returns the status of the daemon itself; `followers` will contain
    the open streams of journals, so that the daemon can end them."""
    control = services.control
    api = FastAPI(
        title="endpointd",
        version=version,
        description="Lists, watches and controls the plugins and the endpoints of a running endpointd.",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=_PROBLEMS,
        default_response_class=Json,
    )
    api.router.route_class = BoundedRoute
    mend_description(api)
    _add_errors(api)
    _add_daemon(api, control, describe)
    _add_log_level(api, control)
    _add_reading(api, control)
    _add_log(api, control, followers)
    _add_actions(api, control)
    _add_folders(api, control, uploads)
    if services.endpoints is not None:
        api.include_router(endpoint_routes(services.endpoints))
    if services.keys is not None:
        api.include_router(secret_routes(services.keys))
    if services.tokens is not None:
        api.include_router(token_routes(services.tokens))
    if services.environments is not None:
        api.include_router(environment_routes(services.environments))
    if services.observed is not None:
        api.include_router(observed_routes(services.observed))
    return _Versioned(api, version)


class _Versioned:
    """Adds the daemon's version to the headers of every response."""

    def __init__(self, app: ASGIApp, version: str) -> None:
        self._app = app
        self._header = (VERSION_HEADER.lower().encode(), version.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_versioned(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], self._header]
            await send(message)

        await self._app(scope, receive, send_versioned)


def _add_daemon(api: FastAPI, control: Control, describe: Callable[[], DaemonStatus]) -> None:
    @api.get("/api/v1/daemon", response_model=DaemonStatus, summary="The daemon itself")
    async def daemon() -> Response:
        return Json(describe().as_dict())

    @api.post(
        "/api/v1/daemon/reload",
        response_model=Reloaded,
        summary="Read the configuration again and hold the plugins to it; when it cannot be used, nothing changes",
    )
    async def reload() -> Response:
        return Json({"needs_restart": await control.reload_configuration()})


def _add_log_level(api: FastAPI, control: Control) -> None:
    @api.get("/api/v1/daemon/log-level", response_model=LogLevelDocument, summary="The least level that is logged")
    async def log_level() -> Response:
        return Json({"level": control.log_level()})

    @api.put(
        "/api/v1/daemon/log-level",
        response_model=LogLevelDocument,
        summary="Log from another level on until the next start; with null, from the one that the settings say",
    )
    async def set_log_level(wanted: LogLevelWanted) -> Response:
        return Json({"level": control.set_log_level(wanted.level)})


def _add_reading(api: FastAPI, control: Control) -> None:
    @api.get(_PLUGINS, response_model=list[PluginStatus], summary="Every folder of the plugins directory")
    async def plugins() -> Response:
        return Json([status.as_dict() for status in control.statuses()])

    @api.get(_PLUGIN, response_model=PluginStatus, summary="One plugin")
    async def plugin(plugin_id: PluginId) -> Response:
        return Json(control.status(plugin_id).as_dict())


def _add_log(api: FastAPI, control: Control, followers: Followers) -> None:
    shown: dict[int | str, dict[str, Any]] = {
        200: {"model": Entry, "description": "One JSON object a line", "content": {NDJSON: {}}}
    }

    @api.get(_PLUGIN + "/log", responses=shown, response_class=StreamingResponse, summary="Its recent lines")
    async def log(plugin_id: PluginId, query: Annotated[_LogQuery, Query()]) -> Response:
        journal = control.journal(plugin_id)
        if not query.follow:
            return Response(b"".join(map(_line, journal.tail(query.lines))), media_type=NDJSON)

        async def lines() -> AsyncIterator[bytes]:
            with followers.joined(journal.follow(query.lines)) as follower:
                async for entry in follower:
                    yield _line(entry)

        return StreamingResponse(lines(), media_type=NDJSON)


def _line(entry: Entry) -> bytes:
    return json.dumps(entry.as_dict()).encode() + b"\n"


def _add_actions(api: FastAPI, control: Control) -> None:
    def add(action: str, act: Callable[[str], Awaitable[PluginStatus]], summary: str) -> None:
        @api.post(f"{_PLUGIN}/{action}", response_model=PluginStatus, summary=summary, operation_id=action)
        async def perform(plugin_id: PluginId) -> Response:
            return Json((await act(plugin_id)).as_dict())

    add("start", control.start, "Start it; answers when it runs")
    add("stop", control.stop, "Let it finish its requests and end it; answers when it has ended")
    add(
        "restart", control.restart, "Replace its worker; no request is lost, and the old one stays if the new one fails"
    )

    @api.post(f"{_PLUGIN}/rollback", response_model=PluginStatus, summary="Run an older release")
    async def rollback(plugin_id: PluginId, wanted: Rollback) -> Response:
        return Json((await control.rollback(plugin_id, wanted.release)).as_dict())


def _add_folders(api: FastAPI, control: Control, uploads: Uploads) -> None:
    content = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in (PACKAGE, ARCHIVE)}
    body = {"requestBody": {"required": True, "content": content}}

    @api.post(
        _PLUGINS,
        status_code=201,
        response_model=InstalledStatus,
        openapi_extra=body,
        summary="Install a package, or the folder in a tar archive; answers when it runs, and else nothing has changed",
    )
    async def install(request: Request, query: Annotated[_InstallQuery, Query()]) -> Response:
        async with uploads.received(request) as (kind, file):
            install = control.install_package if kind == PACKAGE else control.install
            status = await install(file, replace=query.replace)
        return Json(status.as_dict(), status_code=201)

    @api.delete(_PLUGIN, status_code=204, response_class=Response, summary="Stop it and remove its folder")
    async def uninstall(plugin_id: PluginId) -> Response:
        await control.uninstall(plugin_id)
        return Response(status_code=204)


# Errors


def _add_errors(api: FastAPI) -> None:
    @api.exception_handler(OperatorError)
    async def refused(_: Request, error: OperatorError) -> Response:
        # The client may still be sending the body. Closing the connection spares it the rest.
        is_early = error.code.startswith("archive_") or error.code in ("request_too_large", "request_stalled")
        return _answer(error, headers={"Connection": "close"} if is_early else None)

    @api.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        return _answer(UsageError("request_invalid", _told(error), "compare with /api/v1/openapi.json"))

    @api.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        what = f"{request.method} {request.url.path} is not part of this daemon's API: {error.detail}"
        remedy = "compare with /api/v1/openapi.json; the client may be of another version"
        return _answer(OperatorError("api_unknown", what, remedy), error.status_code, error.headers)

    @api.exception_handler(RequestGone)
    async def broken(_: Request, __: RequestGone) -> Response:
        # The client is gone, so nobody reads this response.
        return Response(status_code=400)

    @api.exception_handler(Exception)
    async def defect(_: Request, error: Exception) -> Response:
        # Starlette raises the exception again afterwards, and uvicorn logs it with its traceback.
        what = f"the daemon has a fault of its own: {type(error).__name__}"
        return _answer(OperatorError("daemon_defect", what, "report it, with the traceback in the daemon's log"), 500)


def _told(error: RequestValidationError) -> str:
    """What is wrong with the request, and where. Contains names of fields, but no values, which may be secrets."""
    faults = error.errors()
    texts = [f"{'.'.join(map(str, fault['loc']))[:200]}: {fault['msg']}" for fault in faults[:MOST_TOLD]]
    return "; ".join([*texts, f"and {len(faults) - MOST_TOLD} more"] if len(faults) > MOST_TOLD else texts)


def _answer(error: OperatorError, status: int | None = None, headers: Any = None) -> Response:  # noqa: ANN401
    problem = problem_of(error, status)
    return Response(problem.document(""), problem.status, headers, media_type="application/problem+json")
