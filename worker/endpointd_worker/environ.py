"""A `Request` message as the werkzeug request that the plugin sees.

The environ follows PEP 3333; `REQUEST_URI` is the target as it came (percent-encoded, with the query). Two things that
an environ cannot carry stand in `request.headers` alone: repeats of a header as values of their own, and names with an
underscore, which in an environ could pass for another header.
"""

import io
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request as WerkzeugRequest

from endpointd_worker.body import RequestBody
from endpointd_worker.streams import Stream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_UNPREFIXED = {"CONTENT_TYPE", "CONTENT_LENGTH"}
_KNOWN_NAMES_LIMIT = 1024

_names: dict[bytes, tuple[str, str | None]] = {}
"""Header names seen: as a plugin reads them, and their key in an environ, if they have one."""


def build_request(stream: Stream) -> WerkzeugRequest:
    message = stream.request
    headers = [(_name(name), value.decode("latin-1")) for name, value in message.headers]
    environ = _base_environ(stream)
    for (_, key), value in headers:
        if key is not None:
            _add(environ, key, value)
    request = WerkzeugRequest(environ)
    request.headers = Headers([(name, value) for (name, _), value in headers])
    return request


def _base_environ(stream: Stream) -> "WSGIEnvironment":
    message = stream.request
    query = message.query.decode("latin-1")
    target = f"{message.script}{message.path.decode('latin-1')}"
    return {
        "REQUEST_METHOD": message.method,
        "SCRIPT_NAME": message.script,
        "PATH_INFO": unquote_to_bytes(message.path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": f"{target}?{query}" if query else target,
        "SERVER_NAME": str(message.server[0]),
        "SERVER_PORT": str(message.server[1]),
        "SERVER_PROTOCOL": f"HTTP/{message.http_version}",
        "REMOTE_ADDR": str(message.client[0]),
        "REMOTE_PORT": str(message.client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": message.scheme,
        "wsgi.input": io.BytesIO(message.body) if stream.body_is_whole else _body(stream.read_piece),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "endpointd.request_id": message.request_id,
    }


def _body(read_piece: Callable[[], bytes]) -> io.BufferedReader:
    return io.BufferedReader(RequestBody(read_piece), 64 * 1024)


def _name(raw: bytes) -> tuple[str, str | None]:
    known = _names.get(raw)
    if known is None:
        name = raw.decode("latin-1").title()
        key = None if "_" in name else name.upper().replace("-", "_")
        known = (name, key if key is None or key in _UNPREFIXED else f"HTTP_{key}")
        if len(_names) < _KNOWN_NAMES_LIMIT:
            _names[raw] = known
    return known


def _add(environ: dict[str, Any], key: str, value: str) -> None:
    """Repeats are joined as RFC 9110 §5.2 says; cookies with a semicolon (RFC 6265 §5.4)."""
    before = environ.get(key)
    environ[key] = value if before is None else f"{before}{'; ' if key == 'HTTP_COOKIE' else ', '}{value}"
