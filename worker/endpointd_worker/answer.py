"""Sends a werkzeug response: its head, then each piece of its body as soon as the plugin has produced it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from endpointd_wire.frames import MAX_FRAME, MAX_PIECE
from endpointd_wire.messages import Headers
from endpointd_worker.streams import Stream

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


_WITHOUT_BODY = frozenset({*range(100, 200), 204, 304})

HEADER_FRAMING = 11
"""The most bytes that msgpack adds to one header."""

MAX_HEAD = MAX_FRAME - 2 * MAX_PIECE
"""The most bytes of all headers, encoded. They are sent in one frame with the first piece of the body; a second
`MAX_PIECE` is a reserve."""


class BadAnswer(Exception):
    """What the plugin returned cannot be sent. The text tells the plugin's author why, and what to do instead."""


def send_answer(stream: Stream, response: object, environ: "WSGIEnvironment") -> None:
    """Send all of `response`, which is what the plugin has returned, and close it in any case.

    Raises `BadAnswer`, `Cancelled`, and whatever the plugin's iterable raises.
    """
    if not isinstance(response, Response):
        raise BadAnswer(explain(response))
    if is_async(response):
        response.close()
        raise BadAnswer("the response's body is an async iterable; write 'async def _invoke' to return one")
    try:
        chunks, headers = read(response, environ)
    except BaseException:
        response.close()
        raise
    try:
        stream.start_answer(response.status_code, encode_headers(headers))
        _send_body(stream, chunks)
    finally:
        close(response, chunks)


def is_async(response: Response) -> bool:
    """Whether its body is an async iterable."""
    return hasattr(response.response, "__aiter__")


def has_body(response: Response, environ: "WSGIEnvironment") -> bool:
    """Whether the answer may have a body, by its status and the request's method."""
    return response.status_code not in _WITHOUT_BODY and environ["REQUEST_METHOD"] != "HEAD"


def read(response: Response, environ: "WSGIEnvironment") -> tuple[Iterable[object], list[tuple[str, str]]]:
    """The body, to be closed with `close`, and the headers.

    The same as `get_wsgi_response` returns, but without the two iterators that it wraps around the body: iterating
    through those takes longer than most bodies, and `_send_body` does the encoding anyway.
    """
    is_plain = type(response) is Response and not response.direct_passthrough
    if is_plain and has_body(response, environ):
        return response.response, response.get_wsgi_headers(environ).to_wsgi_list()
    chunks, _, headers = response.get_wsgi_response(environ)
    return chunks, headers


def encode_headers(headers: list[tuple[str, str]]) -> Headers:
    """The headers as bytes. Raises `BadAnswer` if one cannot be encoded, or if all together are too large."""
    try:
        encoded = tuple([(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers])
    except UnicodeEncodeError:
        encoded = tuple([_encode_header(*header) for header in headers])
    size = sum(len(name) + len(value) + HEADER_FRAMING for name, value in encoded)
    if size > MAX_HEAD:
        raise BadAnswer(f"the response's headers have {size} bytes; send at most {MAX_HEAD}, and the rest in the body")
    return encoded


def _encode_header(name: str, value: str) -> tuple[bytes, bytes]:
    """Encode a value in Latin-1, as PEP 3333 says, or in UTF-8 if it has other characters, as Dify does."""
    try:
        return name.encode("ascii"), value.encode("latin-1" if max(value, default="") <= "\xff" else "utf-8")
    except UnicodeEncodeError as error:
        raise BadAnswer(
            f"the response has the header {name!r}: {value!r}, where {error.object[error.start]!r} cannot be sent; "
            "write ASCII in names, and text in values"
        ) from None


def close(response: Response, chunks: Iterable[object]) -> None:
    """Close what `read` has returned: runs `call_on_close` functions and closes the plugin's iterable."""
    # If `read` returned the plugin's own iterable, only the response knows the `call_on_close` functions.
    close = response.close if chunks is response.response else getattr(chunks, "close", None)
    if close is not None:
        close()


def _send_body(stream: Stream, chunks: Iterable[object]) -> None:
    for chunk in chunks:
        if type(chunk) is not bytes:
            chunk = to_bytes(chunk)
        if chunk:
            stream.write(chunk)
        else:
            stream.check()
    stream.end_body()


def to_bytes(chunk: object) -> bytes:
    """A piece that the body has yielded, as bytes. Raises `BadAnswer` if it is neither text nor bytes."""
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    if isinstance(chunk, str):
        return chunk.encode()
    raise BadAnswer(
        f"the response's body yielded {_a(chunk)}; yield str or bytes instead, for example json.dumps(...) of it"
    )


def explain(value: object) -> str:
    """What is wrong with `value`, which the plugin has returned instead of a response."""
    if isinstance(value, str | bytes):
        return f"_invoke returned {_a(value)}; return werkzeug.Response(...) with it instead"
    if value is None:
        return "_invoke returned None (no return statement?); return a werkzeug.Response"
    if hasattr(value, "__await__"):
        return "_invoke returned a coroutine, and is no 'async def'; make it, and what decorates it, an 'async def'"
    if isinstance(value, dict | list):
        return f"_invoke returned {_a(value)}; return a werkzeug.Response, such as Response(json.dumps(...))"
    return f"_invoke returned {_a(value)}; return a werkzeug.Response"


def _a(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
