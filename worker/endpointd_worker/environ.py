"""A `Request` message as the werkzeug request that the plugin sees.

The environ follows PEP 3333; `REQUEST_URI` is the target as it came (percent-encoded, with the query). Two things that
an environ cannot carry stand in `request.headers` alone: repeats of a header as values of their own, and names with an
underscore, which in an environ could pass for another header.
"""

import io
import sys
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from werkzeug.datastructures import Headers
from werkzeug.wrappers import Request as WerkzeugRequest
from werkzeug.wsgi import FileWrapper

from endpointd_wire.frames import MAX_PIECE
from endpointd_worker.body import RequestBody
from endpointd_worker.streams import Stream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_UNPREFIXED = {"CONTENT_TYPE", "CONTENT_LENGTH"}
_KNOWN_NAMES_LIMIT = 1024
_KNOWN_NAME_SIZE = 64
"""Bytes. Clients choose the names, so what is kept of them is bounded."""


def wrap_file(file: IO[bytes], buffer_size: int = MAX_PIECE) -> FileWrapper:
    """`wsgi.file_wrapper` (PEP 3333): a file that is answered, in pieces as large as the wire takes. Those of 8 KiB,
    which werkzeug asks for, would cost thirty times as many frames."""
    return FileWrapper(file, max(buffer_size, MAX_PIECE))


_SAME_FOR_ALL: dict[str, Any] = {
    "wsgi.version": (1, 0),
    "wsgi.input_terminated": True,
    "wsgi.errors": sys.stderr,
    "wsgi.multithread": True,
    "wsgi.multiprocess": False,
    "wsgi.run_once": False,
    "wsgi.file_wrapper": wrap_file,
}

_names: dict[bytes, tuple[str, str | None]] = {}
"""Header names seen: as a plugin reads them, and their key in an environ, if they have one."""


def build_request(stream: Stream) -> WerkzeugRequest:
    message = stream.request
    environ = _base_environ(stream)
    headers = []
    for raw, value in message.headers:
        name, key = _names.get(raw) or _learn(raw)
        text = value.decode("latin-1")
        headers.append((name, text))
        if key is not None:
            environ[key] = _joined(key, environ[key], text) if key in environ else text
    # Not populating the environ with the request keeps the two from holding each other, so that both are freed when the
    # request is over, and with them its body.
    request = WerkzeugRequest(environ, populate_request=False)
    request.headers = ClientHeaders(headers)
    return request


class ClientHeaders(Headers):
    """Headers that are text already, and are not to be checked and copied one by one again."""

    def __init__(self, pairs: list[tuple[str, str]]) -> None:
        super().__init__()
        self._list = [*pairs]


def _base_environ(stream: Stream) -> "WSGIEnvironment":
    message = stream.request
    path = message.path
    query = message.query.decode("latin-1")
    target = f"{message.script}{path.decode('latin-1')}"
    environ = _SAME_FOR_ALL.copy()
    environ["REQUEST_METHOD"] = message.method
    environ["SCRIPT_NAME"] = message.script
    environ["PATH_INFO"] = (unquote_to_bytes(path) if b"%" in path else path).decode("latin-1")
    environ["QUERY_STRING"] = query
    environ["REQUEST_URI"] = f"{target}?{query}" if query else target
    host, port = message.server
    environ["SERVER_NAME"], environ["SERVER_PORT"] = host, str(port)
    host, port = message.client
    environ["REMOTE_ADDR"], environ["REMOTE_PORT"] = host, str(port)
    environ["SERVER_PROTOCOL"] = f"HTTP/{message.http_version}"
    environ["wsgi.url_scheme"] = message.scheme
    environ["wsgi.input"] = io.BytesIO(message.body) if stream.body_is_whole else _body(stream.read_piece)
    environ["endpointd.request_id"] = message.request_id
    return environ


def _body(read_piece: Callable[[], bytes]) -> io.BufferedReader:
    return io.BufferedReader(RequestBody(read_piece), 64 * 1024)


def _learn(raw: bytes) -> tuple[str, str | None]:
    name = raw.decode("latin-1").title()
    key = None if "_" in name else name.upper().replace("-", "_")
    known = (name, key if key is None or key in _UNPREFIXED else f"HTTP_{key}")
    if len(_names) < _KNOWN_NAMES_LIMIT and len(raw) <= _KNOWN_NAME_SIZE:
        _names[raw] = known
    return known


def _joined(key: str, before: str, value: str) -> str:
    """Repeats in one text: RFC 9110 §5.2 says how; for cookies it is RFC 6265 §5.4."""
    return f"{before}{'; ' if key == 'HTTP_COOKIE' else ', '}{value}"
