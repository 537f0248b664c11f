"""The heads of requests and responses: what a request's head says about its body, and whether a response's head can be
sent. Pure.

Workers are not trusted: with a header that ends the head early, or a wrong length, one plugin could forge answers of
another.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
"""Headers that concern one connection (RFC 9110 §7.6.1). For the client's connection, the host sets them."""

OURS = frozenset({b"dify-hook-id", b"dify-hook-url"})
"""Headers of a request that only the host sets. Those that a client sends are removed."""

_TELLING = OURS | {b"content-length", b"host", b"transfer-encoding"}
"""Headers of a request that the host interprets itself."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_WITHOUT_BODY = frozenset({204, 304})

_known_names: dict[bytes, bytes | None] = {}
"""A bounded cache of header names: as sent by plugins, and in lower case, or None for hop-by-hop headers."""
_KNOWN_NAMES_LIMIT = 1024

Headers = list[tuple[bytes, bytes]]


class BadHead(Exception):
    """The worker's response cannot be sent; the text says why."""


class RequestHead(NamedTuple):
    """`headers` are all except those in `OURS`. `length` is the announced size of the body in bytes; None if it is
    chunked. `hosts` is the number of Host headers. `coding` is the Transfer-Encoding in lower case; empty if there is
    none."""

    headers: Headers
    host: bytes
    has_body: bool
    length: int | None
    hosts: int
    coding: bytes


def read_request_head(headers: Sequence[tuple[bytes, bytes]]) -> RequestHead:
    """Read a request's headers. Their names must be in lower case and the framing consistent, which the HTTP parser
    ensures."""
    kept: Headers = []
    host, hosts, length, coding = b"", 0, None, b""
    for header in headers:
        name, value = header
        if value[-1:].isspace():
            # The parser removes white space before a value, but not after it (RFC 9112 §5.1).
            value = value.rstrip(b" \t")
            header = (name, value)
        if name in _TELLING:
            if name in OURS:
                continue
            if name == b"content-length":
                length = int(value)
            elif name == b"host":
                host, hosts = value, hosts + 1
            else:
                coding = b", ".join(filter(None, (coding, value.lower())))
        kept.append(header)
    return RequestHead(kept, host, bool(coding or length), None if coding else length or 0, hosts, coding)


class ResponseHead(NamedTuple):
    """`length` is the announced size of the body in bytes; None if none was announced. `has_body` is False if no body
    may be sent. `lines` are the `headers` as they are written. Must not be modified, because responses may share it."""

    headers: Headers
    length: int | None
    has_body: bool
    has_date: bool
    lines: bytes


_known_heads: dict[object, ResponseHead] = {}
"""A bounded cache of heads that were checked: most responses of a plugin have one of a few heads."""
_KNOWN_HEADS_LIMIT = 256
_KNOWN_HEAD_SIZE = 1024


def check_response_head(status: int, headers: tuple[object, ...], method: str) -> ResponseHead:
    """Check a worker's head, and return what may be sent of it. `method` is that of the request. Raises `BadHead`."""
    key = (status, method == "HEAD", headers)
    try:
        known = _known_heads.get(key)
    except TypeError:
        # It contains something that is not hashable, and so not bytes.
        return _check_response_head(status, headers, method)
    if known is None:
        known = _check_response_head(status, headers, method)
        if len(known.lines) <= _KNOWN_HEAD_SIZE:
            if len(_known_heads) >= _KNOWN_HEADS_LIMIT:
                _known_heads.clear()
            _known_heads[key] = known
    return known


def _check_response_head(status: int, headers: tuple[object, ...], method: str) -> ResponseHead:
    if not 200 <= status <= 599:
        raise BadHead(f"the response's status is {status}; it must be from 200 to 599")
    kept: Headers = []
    length: int | None = None
    has_date = False
    for name, value in map(_checked, headers):
        if name is None:
            continue
        if name == b"content-length":
            is_repeat, length = length is not None, _same_length(length, value)
            if is_repeat or status == 204:
                continue
        elif name == b"date":
            has_date = True
        kept.append((name, value))
    has_body = method != "HEAD" and status not in _WITHOUT_BODY
    return ResponseHead(kept, length, has_body, has_date, written(kept))


def own_head(headers: Headers, method: str) -> ResponseHead:
    """The head of a response of the host's own. `headers` must contain its Content-Length."""
    return ResponseHead(headers, 0, method != "HEAD", False, written(headers))


def written(headers: Headers) -> bytes:
    """The header lines as they are sent."""
    return b"".join([b"%b: %b\r\n" % header for header in headers])


def _checked(header: object) -> tuple[bytes | None, bytes]:
    if type(header) is not tuple or len(header) != 2:
        raise BadHead("a response header is not a pair")
    name, value = header
    if type(name) is not bytes or type(value) is not bytes:
        raise BadHead("a response header is not a pair of bytes")
    if not _VALUE.fullmatch(value):
        raise BadHead(f"the value of the response header {name[:40]!r} has a control character")
    if name in _known_names:
        return _known_names[name], value
    if not _TOKEN.fullmatch(name):
        raise BadHead(f"{name[:40]!r} cannot be the name of a response header")
    lower = name.lower()
    known = None if lower in HOP_BY_HOP else lower
    if len(_known_names) < _KNOWN_NAMES_LIMIT:
        _known_names[name] = known
    return known, value


def _same_length(before: int | None, value: bytes) -> int:
    if not _LENGTH.fullmatch(value):
        raise BadHead(f"the response's Content-Length is {value[:40]!r}")
    length = int(value)
    if before is not None and before != length:
        raise BadHead(f"the response has two lengths, {before} and {length}")
    return length
