"""The same application gives the same answers in a plugin and in this process: whatever is between makes no difference.

The application is httpbin, which has an interface for most of what HTTP knows.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

import pytest
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from support.raw_http import Client

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# It complains on import that an optional part of it is not installed.
logging.getLogger("httpbin.core").setLevel(logging.ERROR)

from httpbin import app  # type: ignore[import-untyped]  # noqa: E402

PREFIX = "/e/mounted"
HOST = "daemon.test"

# They concern one connection or one moment, and the application does not set them.
OF_THE_CONNECTION = frozenset({"date", "connection", "transfer-encoding"})


@dataclass(frozen=True)
class Case:
    """One request; `target` is what follows the endpoint's own path, `headers` are whole lines."""

    method: str
    target: str
    headers: tuple[str, ...] = ()
    body: bytes | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.target[:40]} {' '.join(self.headers)[:30]}".strip()


@dataclass(frozen=True)
class Seen:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


def get(target: str, *headers: str) -> Case:
    return Case("GET", target, headers)


FORM = "Content-Type: application/x-www-form-urlencoded"
JSON = "Content-Type: application/json"
PARTS = "Content-Type: multipart/form-data; boundary=frontier"
MULTIPART = (
    b'--frontier\r\nContent-Disposition: form-data; name="title"\r\n\r\ncaf\xc3\xa9 and tea\r\n'
    b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a b.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\nline one\r\nline two\r\n\r\n"
    b"--frontier--\r\n"
)
ALL = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")
WITH_BODY = ("POST", "PUT", "DELETE")

METHODS = [
    *(Case(method, "/anything/a/b?c=d") for method in ALL),
    *(Case(method, "/get?method=not-allowed") for method in ALL),
    *(Case(method, "/status/200") for method in ALL),
    *(Case(method, "/no/such/page") for method in ALL),
    Case("HEAD", "/bytes/1000?seed=1"),
    Case("HEAD", "/stream/3"),
    Case("HEAD", "/redirect/1"),
    Case("OPTIONS", "/anything", ("Origin: http://o.test", "Access-Control-Request-Headers: X-A, X-B")),
]

PATHS = [
    get("/anything/caf%C3%A9/%E4%BD%A0"),
    get("/anything/a%2Fb%3Fc%23d"),
    get("/anything/with%20space+plus"),
    get("/anything/a;b=c,d:e@f!$&'()*~"),
    get("/anything/%25%32%35"),
    get("/anything/a//b"),
]

QUERIES = [
    get(f"/get?{query}")
    for query in ("", "a=1&a=2&b=", "a&b&c", "q=%20+;=&&", "q=caf%C3%A9", "q=%FF%FE", "=&=", "a[]=1&a[]=2", "a=b=c?d/e")
]

BODIES = [
    *(Case(method, "/anything", (FORM,), b"a=1&a=2&b=two+words&c=%C3%A9&bare") for method in WITH_BODY),
    *(Case(method, "/anything", (PARTS,), MULTIPART) for method in WITH_BODY),
    *(Case(method, "/anything", (JSON,), '{"a": [1, "é", null]}'.encode()) for method in WITH_BODY),
    *(Case(method, "/anything", (), bytes(range(256))) for method in WITH_BODY),
    *(Case(method, "/anything", (), b"") for method in WITH_BODY),
    Case("POST", "/post", (JSON,), b"{not json"),
    Case("POST", "/post", ("Content-Type: text/plain; charset=latin-1",), b"caf\xe9"),
    Case("POST", "/post?a=b", (FORM,), b"c=d"),
    Case("PUT", "/put", ("Content-Type: application/octet-stream",), b"\0" * 100_000),
    Case("DELETE", "/delete", (FORM,), b"x=y"),
    Case("GET", "/anything", (FORM,), b"a=body-of-a-get"),
    Case("POST", "/get", (), b"not allowed"),
]

HEADERS = [
    get("/headers", "X-One: 1", "X-Two: two, three", "Accept: a/b;q=0.5, */*"),
    get("/headers", "X-Repeated: 1", "X-Other: 2", "X-Repeated: 3"),
    get("/headers", "X-Latin: caf\xe9"),
    get("/headers", "X-Empty:"),
    get("/headers", f"X-Long: {'v' * 8000}"),
    get("/user-agent", "User-Agent: Test/1.0 (of; this)"),
    get("/user-agent"),
    get("/ip"),
    get("/ip", "X-Forwarded-For: 6.6.6.6"),
    get("/get", "Origin: http://origin.test"),
    get("/response-headers?X-A=1&X-A=2&X-B=three&Content-Type=text/plain"),
    Case("POST", "/response-headers?ETag=%22e%22&X-Space=a%20b"),
]

COOKIES = [
    get("/cookies", "Cookie: a=1; b=two; c="),
    get("/cookies", 'Cookie: quoted="x y"; odd=a=b'),
    get("/cookies"),
    get("/cookies/set?a=1&b=2&c=3"),
    get("/cookies/set/name/value"),
    get("/cookies/delete?a&b", "Cookie: a=1; b=2"),
]

REDIRECTS = [
    get("/redirect/1"),
    get("/redirect/4"),
    get("/redirect/3?absolute=true"),
    get("/relative-redirect/3"),
    get("/absolute-redirect/3"),
    get("/redirect-to?url=https%3A%2F%2Fexample.org%2F%3Fa%3Db"),
    get("/redirect-to?url=/relative/path&status_code=307"),
    Case("POST", "/redirect-to", (FORM,), b"url=http://other.test/&status_code=303"),
    Case("PUT", "/redirect-to?url=x"),
]

STATUSES = [
    get(f"/status/{code}")
    for code in (201, 202, 204, 205, 299, 301, 302, 304, 305, 400, 401, 402, 404, 406, 407, 418, 429, 500, 503, 599)
]

PAGES = ("/", "/html", "/robots.txt", "/deny", "/json", "/xml", "/encoding/utf8", "/forms/post")
ENCODED = ("/gzip", "/deflate", "/brotli", "/base64/aGVsbG8gd29ybGQ=", "/base64/%25%25")
PICTURES = ("/image/png", "/image/jpeg", "/image/webp", "/image/svg", "/static/favicon.ico")

FORMATS = [
    *(get(path) for path in (*PAGES, *ENCODED, *PICTURES, "/links/5", "/links/5/2")),
    *(get("/image", f"Accept: image/{kind}") for kind in ("png", "jpeg", "webp", "svg+xml", "*", "gif")),
]

STREAMS = [
    get("/stream/1"),
    get("/stream/20"),
    get("/stream-bytes/5000?seed=7&chunk_size=300"),
    get("/stream-bytes/0?seed=7"),
    get("/bytes/0"),
    get("/bytes/100000?seed=7"),
    get("/drip?numbytes=5&duration=0&delay=0"),
    get("/drip?numbytes=5&duration=0&code=500"),
    get("/delay/0"),
]

RANGES = [
    get("/range/1000"),
    get("/range/1000", "Range: bytes=0-99"),
    get("/range/1000", "Range: bytes=990-"),
    get("/range/1000", "Range: bytes=-10"),
    get("/range/1000", "Range: bytes=2000-3000"),
    get("/range/1000?chunk_size=7", "Range: bytes=10-90"),
    get("/range/0"),
]

CONDITIONS = [
    get("/cache", "If-None-Match: x"),
    get("/cache", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT"),
    get("/cache/60"),
    get("/etag/abc"),
    get("/etag/abc", 'If-None-Match: "abc"'),
    get("/etag/abc", "If-None-Match: W/abc, *"),
    get("/etag/abc", 'If-Match: "other"'),
    get("/etag/abc", "If-Match: abc"),
]

AUTH = [
    get("/basic-auth/user/secret"),
    get("/basic-auth/user/secret", "Authorization: Basic dXNlcjpzZWNyZXQ="),
    get("/basic-auth/user/secret", "Authorization: Basic dXNlcjp3cm9uZw=="),
    get("/basic-auth/user/secret", "Authorization: Basic nonsense"),
    get("/hidden-basic-auth/user/secret"),
    get("/hidden-basic-auth/user/secret", "Authorization: Basic dXNlcjpzZWNyZXQ="),
    get("/bearer"),
    get("/bearer", "Authorization: Bearer token"),
]

CORPUS = [
    *(METHODS + PATHS + QUERIES + BODIES + HEADERS + COOKIES + REDIRECTS),
    *(STATUSES + FORMATS + STREAMS + RANGES + CONDITIONS + AUTH),
]


@pytest.fixture(scope="module")
def connection(url: str) -> Iterator[Client]:
    """One connection for all, so that nothing of one answer can be left for the next."""
    with Client(url) as client:
        yield client


def in_a_plugin(client: Client, case: Case) -> Seen:
    answer = client.request(PREFIX + case.target, *case.headers, method=case.method, body=case.body)
    headers = [(name.decode().lower(), value.decode("latin-1")) for name, value in answer.headers]
    return Seen(answer.status, _compared(headers), _timeless(answer.body))


def in_this_process(client: Client, case: Case) -> Seen:
    environ = environ_of(client, case)
    # Not the bare application: `from_app`, which the plugin uses, gives every response a Content-Type.
    with Response.from_app(app, environ) as response:
        chunks, status, headers = response.get_wsgi_response(environ)
        body = b"".join(chunks)
    named = [(name.lower(), value) for name, value in headers]
    return Seen(int(status.split()[0]), _compared(named), _timeless(body))


def environ_of(client: Client, case: Case) -> "WSGIEnvironment":
    """The environ that a server in this process would make of the same request of the same client."""
    path, _, query = case.target.partition("?")
    lines = [line.partition(":") for line in case.headers]
    headers = [(name, value.strip()) for name, _, value in lines]
    # The host adds them to what the client has sent.
    headers += [("Dify-Hook-Id", "mounted"), ("Dify-Hook-Url", f"http://{HOST}{PREFIX}{path}")]
    builder = EnvironBuilder(
        base_url=f"http://{HOST}{PREFIX}/",
        method=case.method,
        headers=headers,
        query_string=query,
        input_stream=BytesIO(case.body or b""),
        content_length=len(case.body or b""),
        environ_overrides={
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": client.address[0],
        },
    )
    environ = builder.get_environ()
    # What the builder adds of its own accord, and this client has not said.
    if case.body is None:
        environ.pop("CONTENT_LENGTH", None)
    if not any(line.startswith("User-Agent:") for line in case.headers):
        environ.pop("HTTP_USER_AGENT", None)
    return environ


def _compared(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, _ordered(name, value)) for name, value in headers if name not in OF_THE_CONNECTION]


def _ordered(name: str, value: str) -> str:
    """Flask takes the methods of `Allow` from a set, whose order is another one in each process."""
    return ", ".join(sorted(value.split(", "))) if name == "allow" else value


def _timeless(body: bytes) -> bytes:
    """A gzip file has the time at which it was made in its bytes 4 to 7."""
    return body[:4] + b"\0" * 4 + body[8:] if body.startswith(b"\x1f\x8b") else body


@pytest.mark.parametrize("case", CORPUS, ids=str)
def test_a_plugin_answers_as_the_application_alone(connection: Client, case: Case) -> None:
    assert in_a_plugin(connection, case) == in_this_process(connection, case)


def test_the_corpus_is_large() -> None:
    assert len(set(CORPUS)) == len(CORPUS) >= 150
