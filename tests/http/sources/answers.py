"""Answers of every shape, each under a name; `/answer/<name>`."""

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dify_plugin import Endpoint
from werkzeug import Request, Response
from werkzeug.utils import redirect, send_file
from werkzeug.wsgi import wrap_file

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

DIGITS = b"0123456789" * 100


class Answers(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Response:
        return ANSWERS[values["name"]](r)


class Counting:
    """An iterator that is no generator."""

    def __init__(self, end: int) -> None:
        self._numbers = iter(range(end))

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return b"%d" % next(self._numbers)


def cookies(r: Request) -> Response:
    response = Response("crumbs")
    for name in ("one", "two", "three"):
        response.set_cookie(name, f"{name} value; {name}", path=f"/{name}")
    return response


def repeated(r: Request) -> Response:
    """Two headers whose repeats stand between each other's."""
    response = Response("repeated")
    for value in ("first", "second", "third"):
        response.headers.add("X-Repeated", value)
        response.headers.add("X-Between", value)
    return response


def latin(r: Request) -> Response:
    return Response("latin", headers={"X-Latin": "caf\xe9 \xff\t|"})


def unicode(r: Request) -> Response:
    return Response("unicode", headers={"Content-Disposition": 'attachment; filename="отчёт é.pdf"', "X-Latin": "é"})


def status(r: Request) -> Response:
    return Response("status", status=r.args["line"])


def with_headers(r: Request) -> Response:
    """Headers from the query, with the body `0123456789`, whole or as a stream."""
    body: bytes | Iterable[bytes] = DIGITS[:10]
    if r.args.get("as") == "stream":
        body = iter([DIGITS[:4], DIGITS[4:7], DIGITS[7:10]])
    response = Response(body)
    if "Content-Length" in r.args:
        del response.headers["Content-Length"]
    for name, value in r.args.items(multi=True):
        if name != "as":
            response.headers.add(name, value)
    response.automatically_set_content_length = False
    return response


class Unchecked(Response):
    """Says what it likes, past all that werkzeug checks."""

    unchecked: tuple[str, str]

    def get_wsgi_response(self, environ: "WSGIEnvironment") -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        return [b"injected"], self.status, [self.unchecked]


def injected(r: Request) -> Response:
    response = Unchecked(status=int(r.args.get("status", 200)))
    response.unchecked = (r.args["name"], r.args["value"])
    return response


def mounted(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
    start("203 As Told", [("X-Script", environ["SCRIPT_NAME"]), ("X-Path", environ["PATH_INFO"])])
    return [b"from ", b"an ", b"application"]


ANSWERS: dict[str, Callable[[Request], Response]] = {
    "cookies": cookies,
    "repeated": repeated,
    "latin": latin,
    "unicode": unicode,
    "status": status,
    "headers": with_headers,
    "injected": injected,
    "empty": lambda r: Response(),
    "nothing-yielded": lambda r: Response(iter([])),
    "empty-pieces": lambda r: Response(iter([b"", b"a", b"", b"b", b""])),
    "list": lambda r: Response([b"one", b"two", b"three"]),
    "iterator": lambda r: Response(iter(["one", "zwölf", "three"])),
    "class": lambda r: Response(Counting(12)),
    "wrapped": lambda r: Response(wrap_file(r.environ, io.BytesIO(DIGITS), 64), direct_passthrough=True),
    "large": lambda r: Response(bytes(range(256)) * 8192),
    "file": lambda r: send_file(
        io.BytesIO(DIGITS), r.environ, "application/octet-stream", conditional=True, etag="digits", last_modified=1
    ),
    "from-app": lambda r: Response.from_app(mounted, r.environ),
    "relative": lambda r: redirect("../elsewhere?a=b", 303),
    "absolute": lambda r: redirect("https://example.org/there?a=b#c", 301),
    "no-content": lambda r: Response("not to be sent", status=204),
    "not-modified": lambda r: Response("not to be sent", status=304, headers={"ETag": '"e"'}),
}
