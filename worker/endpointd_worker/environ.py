"""Builds the werkzeug request that the plugin sees from a `Request` message.

The environ follows PEP 3333. `REQUEST_URI` is the request target as it came (percent-encoded, with the query). Two
things are only in `request.headers` and not in the environ: repeated headers as separate values, and headers whose name
has an underscore, because in an environ they could pass for another header.
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
"""How many header names are cached, and of how many bytes at most: clients choose the names, so both are bounded."""


def wrap_file(file: IO[bytes], buffer_size: int = MAX_PIECE) -> FileWrapper:
    """`wsgi.file_wrapper` (PEP 3333): iterates a file in pieces as large as one frame takes. Werkzeug asks for 8 KiB,
    which would need about thirty times as many frames."""
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
"""The cache of header names: for the name as sent, the name that a plugin reads, and the key in an environ or None."""


def build_request(stream: Stream) -> WerkzeugRequest:
    """The request of `stream`. Its body is read from the stream unless it came as a whole with the message."""
    message = stream.request
    environ = _base_environ(stream)
    headers = []
    for raw, value in message.headers:
        name, key = _names.get(raw) or _learn(raw)
        text = value.decode("latin-1")
        headers.append((name, text))
        if key is not None:
            environ[key] = _joined(key, environ[key], text) if key in environ else text
    # With `populate_request`, the environ and the request would refer to each other; without that cycle both, and the
    # body, are freed as soon as the request is over.
    request = WerkzeugRequest(environ, populate_request=False)
    request.headers = ClientHeaders(headers)
    return request


class ClientHeaders(Headers):
    """Headers made of a list of pairs that are valid already: werkzeug's constructor would check and copy each."""

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
    """Values of a repeated header as one text (RFC 9110 §5.2; for cookies RFC 6265 §5.4)."""
    return f"{before}{'; ' if key == 'HTTP_COOKIE' else ', '}{value}"
