"""The plugin as a WSGI application, for werkzeug's test client. Does what the gateway does for HTTP.

Each body begins with an empty piece, because the client waits for a piece before it returns the response.
"""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING

from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wsgi import get_input_stream

from endpointd.gateway.problems import Problem, redirect
from endpointd.plugins.routing import Matched, MethodNotAllowed, Redirect
from endpointd.testing.environ import Target, read_headers, read_peers, read_target
from endpointd.testing.host import PluginHost
from endpointd.testing.relay import Relay
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import End, Request

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class AnswerBody(Iterator[bytes]):
    """Iterates over the pieces of an answer. Closing it before the end cancels the answer."""

    def __init__(self, host: PluginHost, relay: Relay, what: str) -> None:
        self._host = host
        self._relay = relay
        self._what = what
        self._begun = False

    def __next__(self) -> bytes:
        if not self._begun:
            self._begun = True
            return b""
        piece = self._host.wait(self._relay.piece(), f"the next piece of the answer to {self._what}")
        if piece is None:
            raise StopIteration
        return piece

    def close(self) -> None:
        self._host.cancel(self._relay, "the test has closed the response")


class PluginApplication:
    """The application, mounted where the daemon mounts the plugin: at `script`, which is `/e/<its name>`."""

    def __init__(self, host: PluginHost) -> None:
        self.script = f"/e/{host.endpoint.hook_id}"
        self._host = host
        self._numbers = count(1)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        request_id = f"test-{next(self._numbers)}"
        try:
            target = read_target(environ, self.script)
            route = self._route(environ["REQUEST_METHOD"], target)
            if isinstance(route, Matched):
                return self._relay(environ, start_response, target, route, request_id)
            status, headers, body = 308, redirect(route.location), b""
        except Problem as problem:
            status, (headers, body) = problem.status, problem.response(request_id)
        _start(start_response, status, headers)
        return [b""] if environ["REQUEST_METHOD"] == "HEAD" else [b"", body]

    def _route(self, method: str, target: Target) -> Matched | Redirect:
        plugin = self._host.plugin.id
        if not target.path:
            return Redirect(f"{self.script}/{'?' if target.query else ''}{target.query}")
        route = self._host.routes.match(target.decoded, method, target.query, self.script)
        if isinstance(route, Matched | Redirect):
            return route
        if isinstance(route, MethodNotAllowed):
            allow = ", ".join(route.allow)
            detail = f"{method} is not allowed here, but {allow}"
            raise Problem(405, "method_not_allowed", detail, plugin, ((b"allow", allow.encode()),))
        raise Problem(404, "interface_unknown", f"the plugin has no interface for {target.decoded}", plugin)

    def _relay(
        self,
        environ: "WSGIEnvironment",
        start_response: "StartResponse",
        target: Target,
        route: Matched,
        request_id: str,
    ) -> Iterable[bytes]:
        method = environ["REQUEST_METHOD"]
        what = f"{method} {target.path}"
        body = get_input_stream(environ).read()
        request = self._request(environ, target, route, request_id, body)
        relay = self._host.open(request, body[MAX_PIECE:])
        answer = AnswerBody(self._host, relay, what)
        try:
            status, head = self._host.wait(relay.head(), f"the answer to {what}")
            _start(start_response, status, head.headers)
        except BaseException:
            answer.close()
            raise
        return answer

    def _request(
        self, environ: "WSGIEnvironment", target: Target, route: Matched, request_id: str, body: bytes
    ) -> Request:
        """The request with the first piece of its body. Its stream id is set by the channel."""
        host = self._host
        scheme, hook = environ["wsgi.url_scheme"], host.endpoint.hook_id
        url = f"{scheme}://{environ['HTTP_HOST']}{self.script}{target.path}"
        headers = (*read_headers(environ), (b"dify-hook-id", hook.encode()), (b"dify-hook-url", url.encode()))
        client, server = read_peers(environ)
        return Request(
            0,
            host.source(route.interface),
            request_id,
            environ["REQUEST_METHOD"],
            scheme,
            environ["SERVER_PROTOCOL"].removeprefix("HTTP/"),
            self.script,
            target.path.encode(),
            target.query.encode("latin-1"),
            headers,
            route.values,
            host.endpoint.settings,
            client,
            server,
            End.MORE if len(body) > MAX_PIECE else End.BODY,
            body[:MAX_PIECE],
        )


def _start(start_response: "StartResponse", status: int, headers: list[tuple[bytes, bytes]]) -> None:
    line = f"{status} {HTTP_STATUS_CODES.get(status, 'Unknown')}"
    start_response(line, [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers])
