"""Access control for the console: the session in the cookie, its token, and for forms also the session's CSRF token."""

from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from endpointd.access.service import TokenControl
from endpointd.console.pages import PREFIX
from endpointd.console.requests import comes_from_here, is_by_hand, read_form, wants_json
from endpointd.console.sessions import Session, Sessions
from endpointd.errors import UsageError

Form = Mapping[str, str]
Handler = Callable[[Request, Session, Form], Awaitable[Response]]

LONGEST_TOKEN = 1000


class Door:
    def __init__(self, sessions: Sessions, tokens: TokenControl) -> None:
        self._sessions = sessions
        self._tokens = tokens

    def guarded(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """Let only clients with a session reach `handler`; others are sent to the login page. If the request is not
        GET or HEAD, its form is read and its CSRF token checked before."""

        async def answer(request: Request) -> Response:
            session = self.session_of(request)
            if session is None:
                return _sign_in_first(request)
            if request.method in ("GET", "HEAD"):
                return await handler(request, session, {})
            return await handler(request, session, await self._checked_form(request, session))

        return answer

    def entered(
        self, handler: Callable[[Request, Session], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """As `guarded`, but `handler` must read the form itself and check it with `expect_own`."""

        async def answer(request: Request) -> Response:
            session = self.session_of(request)
            return _sign_in_first(request) if session is None else await handler(request, session)

        return answer

    def session_of(self, request: Request) -> Session | None:
        found = self._sessions.find(request.cookies.get(cookie_name(request), ""), by_hand=is_by_hand(request))
        return found if found is not None and self.is_valid(found) else None

    def is_valid(self, session: Session) -> bool:
        """Whether the session is still valid: it has not expired, and its token is neither expired nor revoked."""
        if not self._sessions.is_open(session):
            return False
        if not self._tokens.is_good(session.token):
            self._sessions.close(session)
            return False
        return True

    async def _checked_form(self, request: Request, session: Session) -> Form:
        form = await read_form(request)
        self.expect_own(request, session, form)
        return form

    @staticmethod
    def expect_own(request: Request, session: Session, form: Form) -> None:
        """Raise `Forgery` unless the form was sent by one of the session's own pages."""
        if not comes_from_here(request) or not session.owns(form.get("csrf", "")):
            raise Forgery

    # Signing in and out

    async def sign_in(self, request: Request) -> Session:
        """Open a session for the token in the submitted form. Raises `OperatorError` or `Forgery`."""
        form = await read_form(request)
        if not comes_from_here(request):
            raise Forgery
        secret = form.get("token", "").strip()
        if not secret or len(secret) > LONGEST_TOKEN:
            raise UsageError("request_invalid", "a token is needed to sign in", "enter one")
        token = self._tokens.check(secret, _client_of(request))
        return self._sessions.open(token.id, token.name)

    def give(self, response: Response, request: Request, session: Session) -> None:
        """Set the session's cookie. It has no expiry: the browser deletes it when it is closed, and the session expires
        on the server."""
        response.set_cookie(
            cookie_name(request),
            session.id,
            path=PREFIX,
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )

    def sign_out(self, response: Response, request: Request, session: Session) -> None:
        self._sessions.close(session)
        response.delete_cookie(cookie_name(request), path=PREFIX, httponly=True, samesite="strict")


class Forgery(Exception):
    """A form was not sent by one of the session's own pages (cross-site request forgery)."""


def cookie_name(request: Request) -> str:
    """The name of the session's cookie. It contains the port, because browsers share cookies between all ports of a
    host, and several daemons may be reached at one host (with `ssh -L`)."""
    port = request.headers.get("host", "").rpartition(":")[2]
    return f"endpointd-{port if port.isdecimal() else request.url.scheme}"


def _client_of(request: Request) -> str:
    return request.client.host if request.client is not None else ""


def _sign_in_first(request: Request) -> Response:
    if wants_json(request) or not is_by_hand(request):
        return JSONResponse({"error": "the session is over; sign in again"}, 401)
    wanted = request.url.path if request.method in ("GET", "HEAD") else PREFIX
    if request.url.query and wanted != PREFIX:
        wanted = f"{wanted}?{request.url.query}"
    query = f"?next={quote(wanted)}" if wanted not in (PREFIX, f"{PREFIX}/") else ""
    return RedirectResponse(f"{PREFIX}/sign-in{query}", 303)
