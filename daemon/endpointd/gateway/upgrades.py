"""Handles requests that ask for another protocol (`Upgrade`). None is supported, so they are treated like all others
(RFC 9110 §7.8).

httptools ends such a request after its head, whatever body that announces, and then says where in the data the head
ends. From there on another parser is used, which is first given a head that announces the same body.
"""

from collections.abc import Iterable

from httptools import HttpRequestParser
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_FRAMING = (b"content-length", b"transfer-encoding")


def parser_behind_head(protocol: HttpToolsProtocol) -> HttpRequestParser:
    """A parser that calls `protocol`. It must first be given a `head_of_framing`, for which `protocol` is not called,
    and then the data after the true head."""
    parser = HttpRequestParser(_BehindHead(protocol))
    # As in uvicorn.
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def head_of_framing(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A head without `Upgrade` that announces the same body as one with these `headers`."""
    lines = [b"%b: %b\r\n" % (name, value) for name, value in headers if name in _FRAMING]
    return b"POST / HTTP/1.1\r\n%b\r\n" % b"".join(lines)


class _BehindHead:
    """Passes a parser's callbacks on, except those for the first head."""

    def __init__(self, protocol: HttpToolsProtocol) -> None:
        self._protocol = protocol
        self._is_behind = False
        self.on_body = protocol.on_body
        self.on_message_complete = protocol.on_message_complete

    def on_message_begin(self) -> None:
        if self._is_behind:
            self._protocol.on_message_begin()

    def on_url(self, url: bytes) -> None:
        if self._is_behind:
            self._protocol.on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._is_behind:
            self._protocol.on_header(name, value)

    def on_headers_complete(self) -> None:
        if self._is_behind:
            self._protocol.on_headers_complete()
        self._is_behind = True
