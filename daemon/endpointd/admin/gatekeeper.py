"""Authenticates requests with bearer tokens before they reach an application. For listeners on the network."""

from collections.abc import Sequence
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endpointd.access.errors import AccessRefused, TooManyFailures, missing
from endpointd.access.service import TokenControl
from endpointd.admin.problems import problem_of
from endpointd.errors import OperatorError

API = "/api"


class Gatekeeper:
    """ASGI middleware: every request needs a token, except those at the paths `open` or below them; "/" is only that
    path itself.

    `open` is for what is public or authenticates by itself. Raises ValueError if it would open the API.
    """

    def __init__(self, app: ASGIApp, tokens: TokenControl, open: Sequence[str] = ()) -> None:  # noqa: A002
        if any(is_within(API, path) or is_within(path, API) for path in open):
            raise ValueError("the API is never open")
        self._app = app
        self._tokens = tokens
        self._open = tuple(open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if any(is_within(scope["path"], path) for path in self._open):
            await self._app(scope, receive, send)
            return
        try:
            token = self._tokens.check(_secret(scope), _client(scope))
        except (AccessRefused, TooManyFailures) as error:
            await _refuse(error, send)
            return

        async def send_while_good(message: Message) -> None:
            """End a long response, such as a log that is followed, when its token is no longer valid."""
            if message["type"] == "http.response.body" and not self._tokens.is_good(token.id):
                await send({"type": "http.response.body", "body": b""})
                raise _Over
            await send(message)

        with suppress(_Over):
            await self._app(scope, receive, send_while_good)


class _Over(Exception):
    """The token was revoked or has expired during a response."""


def is_within(path: str, folder: str) -> bool:
    """Whether `path` is `folder` or below it. As an exception, nothing is below "/"."""
    return path == folder or (folder != "/" and path.startswith(folder.rstrip("/") + "/"))


def _secret(scope: Scope) -> str:
    """The token in the header `Authorization: Bearer`. Raises `AccessRefused` if there is none."""
    found = [value for name, value in scope["headers"] if name == b"authorization"]
    scheme, _, secret = found[0].partition(b" ") if len(found) == 1 else (b"", b"", b"")
    if scheme.lower() != b"bearer" or not secret.strip():
        raise missing()
    return str(secret.strip(), "latin-1")


def _client(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


async def _refuse(error: OperatorError, send: Send) -> None:
    problem = problem_of(error)
    headers, body = problem.response("")
    if isinstance(error, TooManyFailures):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    else:
        reason = b"" if error.code == "token_missing" else b', error="invalid_token"'
        headers.append((b"www-authenticate", b'Bearer realm="endpointd"' + reason))
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
