"""The heads that pass through the host: what a request's says about its body, and whether a response's can be sent.
Pure.

A worker is not trusted: a header that could end the head early, or a length that does not fit, would let one plugin
write answers in another's name.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
)
"""Headers about one connection (RFC 9110 §7.6.1). Those of the client's connection are the host's own."""

OURS = frozenset({b"dify-hook-id", b"dify-hook-url"})
"""Set by the host and by nobody else."""

_TELLING = OURS | {b"content-length", b"host", b"transfer-encoding"}
"""Those of a request that are more to the host than something to be passed on."""

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_WITHOUT_BODY = frozenset({204, 304})

_known_names: dict[bytes, bytes | None] = {}
"""Header names seen, in lower case; None for those that are hop-by-hop. Bounded."""
_KNOWN_NAMES_LIMIT = 1024

Headers = list[tuple[bytes, bytes]]


class BadHead(Exception):
    """The worker's answer cannot be sent; the text says why."""


class RequestHead(NamedTuple):
    """`headers` without those that are ours; `length` is the announced size of the body, None when it is chunked;
    `hosts` counts the Host headers; `coding` is the Transfer-Encoding in lower case, empty when there is none."""

    headers: Headers
    host: bytes
    has_body: bool
    length: int | None
    hosts: int
    coding: bytes


def read_request_head(headers: Sequence[tuple[bytes, bytes]]) -> RequestHead:
    """Names are in lower case and framing is consistent: the HTTP parser has seen to both."""
    kept: Headers = []
    host, hosts, length, coding = b"", 0, None, b""
    for header in headers:
        name, value = header
        if value[-1:].isspace():
            # The parser takes the white space before a value away, but not that behind it (RFC 9112 §5.1).
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
    """`length` is the announced size of the body, None when there is none; `has_body` is False when none may be sent.
    `lines` are the `headers` as they are written. Several answers may share one: nothing of it is ever changed."""

    headers: Headers
    length: int | None
    has_body: bool
    has_date: bool
    lines: bytes


_known_heads: dict[object, ResponseHead] = {}
"""Heads that were checked: most answers of a plugin have one of a few. Bounded."""
_KNOWN_HEADS_LIMIT = 256
_KNOWN_HEAD_SIZE = 1024


def check_response_head(status: int, headers: tuple[object, ...], method: str) -> ResponseHead:
    """What may be sent of a worker's head. Raises `BadHead`."""
    key = (status, method == "HEAD", headers)
    try:
        known = _known_heads.get(key)
    except TypeError:
        # Something in it is no bytes, nor anything else that has a hash.
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
    """The head of an answer by the host itself, whose headers tell its length."""
    return ResponseHead(headers, 0, method != "HEAD", False, written(headers))


def written(headers: Headers) -> bytes:
    """As they are sent."""
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
