"""What a plugin sees of a request: everything, as it came."""

import io
import threading
import tracemalloc
from typing import Any

import pytest
from werkzeug.exceptions import ClientDisconnected
from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import wrap_file

from endpointd_wire import messages as wire
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.messages import Cancel, Credit, Data, End
from endpointd_worker import environ
from endpointd_worker.environ import build_request
from support.host_end import WAIT_SECONDS
from support.thread_worker import StartThreads, ThreadWorker


@pytest.fixture
def worker(start_threads: StartThreads) -> ThreadWorker:
    return start_threads(pool=False)


def see(worker: ThreadWorker, **fields: Any) -> Request:  # noqa: ANN401 - those of `Request`
    """The werkzeug request that a plugin gets for a `Request` with `fields`."""
    worker.host.request(**fields)
    return build_request(worker.receive_stream())


# Headers


def test_headers_keep_their_order_and_their_repeats(worker: ThreadWorker) -> None:
    raw = [[b"b", b"1"], [b"a", b"2"], [b"b", b"3"], [b"a", b"4"]]
    headers = see(worker, headers=raw).headers
    assert list(headers) == [("B", "1"), ("A", "2"), ("B", "3"), ("A", "4")]
    assert headers.getlist("a") == ["2", "4"]


def test_the_environ_joins_repeats(worker: ThreadWorker) -> None:
    request = see(worker, headers=[[b"accept", b"text/html"], [b"x", b"1"], [b"accept", b"text/*;q=0.5"]])
    assert request.environ["HTTP_ACCEPT"] == "text/html, text/*;q=0.5"


def test_cookies_are_joined_as_cookies(worker: ThreadWorker) -> None:
    request = see(worker, headers=[[b"cookie", b"a=1; b=2"], [b"cookie", b"c=3"]])
    assert request.environ["HTTP_COOKIE"] == "a=1; b=2; c=3"
    assert dict(request.cookies) == {"a": "1", "b": "2", "c": "3"}


def test_a_name_with_an_underscore_passes_for_no_other_header(worker: ThreadWorker) -> None:
    request = see(worker, headers=[[b"dify_hook_id", b"forged"], [b"dify-hook-id", b"duck"]])
    assert request.environ["HTTP_DIFY_HOOK_ID"] == "duck"
    assert request.headers["Dify-Hook-Id"] == "duck"
    assert request.headers["Dify_Hook_Id"] == "forged"


def test_header_values_are_not_interpreted(worker: ThreadWorker) -> None:
    request = see(worker, headers=[[b"x-name", "Müller".encode()], [b"x-empty", b""]])
    assert request.headers["X-Name"].encode("latin-1") == "Müller".encode()
    assert request.headers["X-Empty"] == ""


def test_many_names_are_all_known(worker: ThreadWorker) -> None:
    raw = [[b"x-%d" % number, b"%d" % number] for number in range(2000)]
    headers = see(worker, headers=raw).headers
    assert all(headers[f"X-{number}"] == str(number) for number in range(2000))


def test_content_headers_have_no_prefix(worker: ThreadWorker) -> None:
    headers = [[b"content-type", b"text/plain; charset=utf-8"], [b"content-length", b"4"]]
    request = see(worker, headers=headers, method="POST", body=b"body")
    assert request.environ["CONTENT_TYPE"] == "text/plain; charset=utf-8"
    assert (request.content_length, request.mimetype) == (4, "text/plain")
    assert not {"HTTP_CONTENT_TYPE", "HTTP_CONTENT_LENGTH"} & set(request.environ)


# Target and surroundings


@pytest.mark.parametrize(
    ("path", "query", "path_info", "uri"),
    [
        (b"/duck/x", b"", "/duck/x", "/e/duck/duck/x"),
        (b"/a%2Fb", b"q=a%20b&q=+", "/a/b", "/e/duck/a%2Fb?q=a%20b&q=+"),
        (b"/%E9%B8%AD", b"", "/鸭", "/e/duck/%E9%B8%AD"),
        ("/鸭".encode(), b"", "/鸭", "/e/duck/\xe9\xb8\xad"),
        (b"//a//", b"", "//a//", "/e/duck//a//"),
        (b"/%FF", b"%FF", "/\ufffd", "/e/duck/%FF?%FF"),
    ],
)
def test_the_target_is_there_decoded_and_as_it_came(
    worker: ThreadWorker, path: bytes, query: bytes, path_info: str, uri: str
) -> None:
    request = see(worker, path=path, query=query)
    assert request.path == "/" + path_info.lstrip("/")
    assert request.environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace") == path_info
    assert request.environ["REQUEST_URI"] == uri
    assert request.query_string == query
    assert (request.root_path, request.environ["SCRIPT_NAME"]) == ("/e/duck", "/e/duck")


def test_the_surroundings_are_those_of_the_client(worker: ThreadWorker) -> None:
    request = see(
        worker,
        method="OPTIONS",
        scheme="https",
        http_version="1.0",
        client=["2001:db8::7", 50000],
        server=["::1", 443],
        request_id="r-77",
        headers=[[b"host", b"duck.example:8443"]],
    )
    assert (request.method, request.remote_addr, request.environ["REMOTE_PORT"]) == ("OPTIONS", "2001:db8::7", "50000")
    assert (request.environ["SERVER_NAME"], request.environ["SERVER_PORT"]) == ("::1", "443")
    assert request.environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert request.environ["endpointd.request_id"] == "r-77"
    assert request.url == "https://duck.example:8443/e/duck/"


def test_the_environ_is_one_of_pep_3333(worker: ThreadWorker) -> None:
    environ = see(worker).environ
    assert type(environ) is dict
    assert environ["wsgi.version"] == (1, 0)
    assert environ["wsgi.errors"].writable()
    flags = [environ[f"wsgi.{name}"] for name in ("multithread", "multiprocess", "run_once", "input_terminated")]
    assert flags == [True, False, False, True]
    native = {key: value for key, value in environ.items() if "." not in key}
    assert all(type(value) is str and value.encode("latin-1") is not None for value in native.values())


# Bodies


def test_a_body_that_is_whole_is_read_at_once(worker: ThreadWorker) -> None:
    request = see(worker, method="POST", body=b"whole")
    assert isinstance(request.environ["wsgi.input"], io.BytesIO)
    assert request.get_data() == b"whole"


def test_an_empty_body_stays_empty(worker: ThreadWorker) -> None:
    request = see(worker, method="POST", headers=[[b"content-length", b"0"]])
    assert request.get_data() == b""
    assert request.stream.read() == b""


def upload(start_threads: StartThreads, *reads: int) -> tuple[ThreadWorker, list[bytes], int]:
    """A worker whose plugin reads the body in steps of `reads`, and a request for it with the body's first piece."""
    seen: list[bytes] = []

    def read(r: Request) -> Response:
        seen.extend(r.stream.read(size) for size in reads)
        return Response(str(len(seen)))

    worker = start_threads(read)
    return worker, seen, worker.host.request(method="POST", end=End.MORE, body=b"first ")


def test_a_body_is_read_as_it_arrives(start_threads: StartThreads) -> None:
    arrived: list[bytes] = []

    def read(r: Request) -> Response:
        arrived.extend(iter(lambda: r.stream.read(6), b""))
        return Response("read")

    worker = start_threads(read)
    stream = worker.host.request(method="POST", end=End.MORE, body=b"first ")
    for piece in (b"second", b"", b"third "):
        worker.host.say(Data(stream, End.MORE, piece))
    worker.host.say(Data(stream, End.BODY, b"end"))
    assert worker.host.take(stream).body == b"read"
    assert arrived == [b"first ", b"second", b"third ", b"end"]


def test_lines_and_parts_of_pieces_can_be_read(start_threads: StartThreads) -> None:
    worker, seen, stream = upload(start_threads, 3, 4, -1)
    worker.host.say(Data(stream, End.MORE, b"\nline"), Data(stream, End.BODY, b" two"))
    worker.host.take(stream)
    assert seen == [b"fir", b"st \n", b"line two"]


def test_a_form_is_parsed_from_a_body_in_pieces(start_threads: StartThreads) -> None:
    def parse(r: Request) -> Response:
        return Response(f"{r.form['a']} {r.files['f'].read()!r}")

    body = (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\none\r\n'
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\ntwo\r\n--x--\r\n'
    )
    worker = start_threads(parse)
    headers = [[b"content-type", b"multipart/form-data; boundary=x"], [b"transfer-encoding", b"chunked"]]
    stream = worker.host.request(method="POST", end=End.MORE, body=body[:30], headers=headers)
    worker.host.say(Data(stream, End.MORE, body[30:90]), Data(stream, End.BODY, body[90:]))
    assert worker.host.take(stream).body == b"one b'two'"


def test_a_body_that_breaks_off_never_looks_as_if_it_had_ended(start_threads: StartThreads) -> None:
    raised: list[BaseException] = []
    begun = threading.Event()

    def read(r: Request) -> Response:
        begun.set()
        try:
            r.get_data()
        except BaseException as error:
            raised.append(error)
            raise
        raise AssertionError

    worker = start_threads(read)
    stream = worker.host.request(method="POST", end=End.MORE, body=b"first")
    assert begun.wait(WAIT_SECONDS)
    worker.host.say(Cancel(stream, "client gone"))
    worker.host.take(stream)
    assert isinstance(raised[0], ClientDisconnected)
    assert raised[0].description == "client gone"


def test_credit_is_returned_for_what_was_read_and_for_nothing_else(start_threads: StartThreads) -> None:
    def read(r: Request) -> Response:
        return Response(str(len(r.stream.read(600_000))))

    worker = start_threads(read)
    stream = worker.host.request(method="POST", end=End.MORE)
    piece = bytes(200_000)
    worker.host.say(*[Data(stream, End.MORE, piece)] * 4)
    granted = 0
    while isinstance(message := worker.host.hear_any(), Credit):
        granted += message.size
    assert 0 < granted <= 800_000
    assert isinstance(message, wire.Response)
    rest = b"600000"[len(message.body) :]
    assert worker.host.hear_body(len(rest)) == rest


def test_long_names_of_headers_are_not_kept(worker: ThreadWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients choose them: a thousand of them must not fill the worker's memory."""
    # Other tests have filled it already.
    monkeypatch.setattr(environ, "_names", {})
    worker.host.request()
    stream = worker.receive_stream()
    tracemalloc.start()
    try:
        for number in range(1000):
            name = b"%060000d" % number
            stream.request = stream.request._replace(headers=((name, b"1"),))
            assert build_request(stream).headers[name.decode()] == "1"
        assert tracemalloc.get_traced_memory()[0] < 10_000_000
    finally:
        tracemalloc.stop()


# Files


def test_a_file_is_read_in_pieces_as_large_as_the_wire_takes(worker: ThreadWorker) -> None:
    request = see(worker)
    content = bytes(MAX_PIECE) + b"rest"
    pieces = list(wrap_file(request.environ, io.BytesIO(content)))
    assert pieces == [content[:MAX_PIECE], b"rest"]


def test_a_part_of_a_file_can_be_asked_for(worker: ThreadWorker) -> None:
    request = see(worker, headers=[[b"range", b"bytes=2-4"]])
    response = send_file(io.BytesIO(b"0123456789"), request.environ, mimetype="text/plain")
    chunks, status, headers = response.get_wsgi_response(request.environ)
    assert (b"".join(chunks), status) == (b"234", "206 PARTIAL CONTENT")
    assert ("Content-Range", "bytes 2-4/10") in headers
