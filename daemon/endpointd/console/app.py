"""The console as an ASGI application, with all its pages below `/console`."""

from collections.abc import Callable
from time import monotonic

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endpointd.admin.followers import Followers
from endpointd.admin.problems import problem_of
from endpointd.admin.receiving import RequestGone
from endpointd.console.door import Door, Forgery
from endpointd.console.endpoint_pages import EndpointPages
from endpointd.console.install_pages import InstallPages
from endpointd.console.pages import PREFIX, Pages
from endpointd.console.parts import Parts
from endpointd.console.plugin_pages import PluginPages
from endpointd.console.requests import wants_json
from endpointd.console.sessions import Sessions
from endpointd.console.shell import Shell
from endpointd.errors import OperatorError

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    # With "no-referrer", browsers would not send the origin of a form.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}


def build_console(parts: Parts, followers: Followers, now: Callable[[], float] = monotonic) -> ASGIApp:
    """Build the console's application. `followers` will contain the open log streams, so that the daemon can end them;
    `now` returns the time in seconds by which sessions expire."""
    pages = Pages(parts.version)
    door = Door(Sessions(now), parts.tokens)
    shell = Shell(pages)
    doorway = _Doorway(door, pages)
    routes = [
        Route("/", _home),
        Route(PREFIX, _home),
        Route(f"{PREFIX}/", _home),
        Route(f"{PREFIX}/static/{{digest}}/{{name}}", doorway.static),
        Route(f"{PREFIX}/sign-in", doorway.show),
        Route(f"{PREFIX}/sign-in", doorway.sign_in, methods=["POST"]),
        Route(f"{PREFIX}/sign-out", doorway.sign_out, methods=["POST"]),
        *InstallPages(parts, shell, door).routes(),
        *PluginPages(parts, shell, door, followers).routes(),
        *EndpointPages(parts, shell, door).routes(),
    ]
    errors = _Errors(door, pages)
    handlers = {OperatorError: errors.refused, HTTPException: errors.unknown, Forgery: errors.forged}
    handlers |= {RequestGone: errors.gone, Exception: errors.defect}
    return _Headed(Starlette(routes=routes, exception_handlers=handlers))  # type: ignore[arg-type]


async def _home(_: Request) -> Response:
    return RedirectResponse(f"{PREFIX}/plugins", 303)


class _Headed:
    """Adds the security headers (`HEADERS`) to every response that does not have them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_headed(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *(one for one in more if one[0] not in own)]
            await send(message)

        await self._app(scope, receive, send_headed)


class _Doorway:
    """The pages and files that need no session: static files, signing in, and signing out."""

    def __init__(self, door: Door, pages: Pages) -> None:
        self._door = door
        self._pages = pages

    async def static(self, request: Request) -> Response:
        found = self._pages.static(request.path_params["digest"], request.path_params["name"])
        if found is None:
            raise HTTPException(404)
        return found

    async def show(self, request: Request) -> Response:
        if self._door.session_of(request) is not None:
            return RedirectResponse(_wanted(request), 303)
        return await self._pages.page("sign_in.html", refused=None, next=_wanted(request))

    async def sign_in(self, request: Request) -> Response:
        try:
            session = await self._door.sign_in(request)
        except OperatorError as error:
            return await self._pages.page(
                "sign_in.html", problem_of(error).status, refused=error, next=_wanted(request)
            )
        response = RedirectResponse(_wanted(request), 303)
        self._door.give(response, request, session)
        return response

    async def sign_out(self, request: Request) -> Response:
        return await self._door.guarded(self._sign_out)(request)

    async def _sign_out(self, request: Request, session: object, _: object) -> Response:
        response = RedirectResponse(f"{PREFIX}/sign-in", 303)
        self._door.sign_out(response, request, session)  # type: ignore[arg-type]
        return response


def _wanted(request: Request) -> str:
    """The page to go to after signing in (the parameter `next`), if it is one of the console; else the start page."""
    wanted = request.query_params.get("next", "")
    plain = wanted.startswith(f"{PREFIX}/") and wanted.isprintable() and "\\" not in wanted
    return wanted if plain else f"{PREFIX}/plugins"


class _Errors:
    """The exception handlers. They answer with pages, or with JSON for scripts."""

    def __init__(self, door: Door, pages: Pages) -> None:
        self._door = door
        self._pages = pages

    async def refused(self, request: Request, error: OperatorError) -> Response:
        return await self._answer(request, problem_of(error).status, error.message, error.remedy)

    async def unknown(self, request: Request, error: HTTPException) -> Response:
        what = "there is no such page" if error.status_code == 404 else error.detail
        return await self._answer(request, error.status_code, what, "go on from the plugins or the endpoints")

    async def forged(self, request: Request, _: Forgery) -> Response:
        what = "the form does not belong to this session, so nothing was done"
        return await self._answer(request, 403, what, "reload the page and try again")

    async def gone(self, *_: object) -> Response:
        # The client is gone, so nobody reads this response.
        return Response(status_code=400)

    async def defect(self, request: Request, error: Exception) -> Response:
        # Starlette raises the exception again afterwards, and uvicorn logs it with its traceback.
        what = f"the daemon has a fault of its own: {type(error).__name__}"
        return await self._answer(request, 500, what, "report it, with the traceback in the daemon's log")

    async def _answer(self, request: Request, status: int, what: str, remedy: str) -> Response:
        if wants_json(request):
            return JSONResponse({"error": f"{what}; {remedy}"}, status)
        session = self._door.session_of(request)
        return await self._pages.page(
            "error.html",
            status,
            session=session,
            notes=[],
            path=request.url.path,
            csrf=session.csrf if session is not None else "",
            what=what,
            remedy=remedy,
        )


__all__ = ["PREFIX", "build_console"]
