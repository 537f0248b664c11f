"""The errors for requests that cannot be read, or may not be, and so go to no endpoint."""

from collections.abc import Sequence

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from endpointd.gateway.date import http_date
from endpointd.gateway.problems import Problem


def malformed() -> Problem:
    return Problem(400, "request_malformed", "the request is not valid HTTP/1.1")


def forwarded_malformed() -> Problem:
    detail = "the Forwarded header of the proxy, which names the client, cannot be understood"
    return Problem(400, "request_malformed", detail)


def uri_too_long(limit: int) -> Problem:
    return Problem(414, "limit_uri", f"the request target is longer than {limit} bytes (limit_uri)")


def header_too_large(size: int, limit: int) -> Problem:
    detail = f"the request's headers have {size} bytes, at most {limit} are taken (limit_header)"
    return Problem(431, "limit_header", detail)


def head_too_slow(limit: float) -> Problem:
    return Problem(408, "clock_header", f"the request's head did not arrive in {limit:g} s (clock_header)")


def connections_exhausted() -> Problem:
    return Problem(503, "connections_exhausted", "the server has as many connections as it may have")


def header_size(headers: Sequence[tuple[bytes, bytes]]) -> int:
    """The size of the headers in bytes, including the separators between names and values, and the line ends."""
    return sum(len(name) + len(value) + 4 for name, value in headers)


def written(problem: Problem) -> bytes:
    """The complete answer as bytes, with "connection: close"."""
    headers, body = problem.response(request_id="")
    lines = [b"%s: %s\r\n" % header for header in [*headers, (b"date", http_date()), (b"connection", b"close")]]
    return b"".join([STATUS_LINE[problem.status], *lines, b"\r\n", body])
