"""Lets nobody through to an application who shows no token. For listeners that strangers can reach."""

from collections.abc import Sequence
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from endpointd.access.errors import AccessRefused, TooManyFailures, missing
from endpointd.access.service import TokenControl
from endpointd.admin.problems import problem_of
from endpointd.errors import OperatorError

API = "/api"


class Gatekeeper:
    """Every path needs a token, but those that are `open` and those below them; "/" is that one path alone.

    `open` is for what has a door of its own. ValueError: it would open the API.
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
            """What goes on for long, such as a log that is followed, ends with its token."""
            if message["type"] == "http.response.body" and not self._tokens.is_good(token.id):
                await send({"type": "http.response.body", "body": b""})
                raise _Over
            await send(message)

        with suppress(_Over):
            await self._app(scope, receive, send_while_good)


class _Over(Exception):
    """The token was revoked, or has expired, in the middle of an answer."""


def is_within(path: str, folder: str) -> bool:
    """Whether it is `folder`, or below it; nothing but itself is below "/"."""
    return path == folder or (folder != "/" and path.startswith(folder.rstrip("/") + "/"))


def _secret(scope: Scope) -> str:
    """What stands behind `Authorization: Bearer`. Raises `AccessRefused`."""
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
