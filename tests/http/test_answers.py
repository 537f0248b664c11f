"""What a client sees of a response is what the plugin made."""

import re

import pytest

from support.raw_http import Answer, Client, ask

DIGITS = b"0123456789" * 100
DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


def get(url: str, name: str, *headers: str) -> Answer:
    return ask(url, f"/e/lab/answer/{name}", *headers)


# Headers


def test_three_cookies_are_three_headers_in_order(url: str) -> None:
    cookies = get(url, "cookies").all("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["one", "two", "three"]
    assert [cookie.rpartition("/")[2] for cookie in cookies] == ["one", "two", "three"]


def test_repeated_headers_keep_their_order_among_all_others(url: str) -> None:
    headers = [(name, value) for name, value in get(url, "repeated").headers if name.startswith(b"x-")]
    values = (b"first", b"second", b"third")
    assert headers == [(name, value) for value in values for name in (b"x-repeated", b"x-between")]


def test_header_values_are_latin_1(url: str) -> None:
    assert get(url, "latin").one("x-latin") == "caf\xe9 \xff\t|"


def test_header_values_that_cannot_be_latin_1_are_utf_8(url: str) -> None:
    headers = dict(get(url, "unicode").headers)
    assert headers[b"content-disposition"].decode() == 'attachment; filename="отчёт é.pdf"'
    assert headers[b"x-latin"] == b"\xe9"


@pytest.mark.parametrize("name", ["Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade"])
@pytest.mark.parametrize("kind", ["", "&as=stream"])
def test_headers_of_the_connection_are_the_hosts_own(url: str, name: str, kind: str) -> None:
    value = "gzip" if name == "Transfer-Encoding" else "close"
    with Client(url) as client:
        answer = client.request(f"/e/lab/answer/headers?{name}={value}&X-Kept=yes{kind}")
        assert answer.one(name) == ("chunked" if name == "Transfer-Encoding" and kind else None)
        assert (answer.one("x-kept"), answer.body) == ("yes", b"0123456789")
        assert client.request("/e/lab/saw").status == 200


def test_an_answer_is_dated_once(url: str) -> None:
    assert DATE.fullmatch(get(url, "empty").one("date") or "")
    own = "Thu, 01 Jan 1970 00:00:00 GMT"
    assert get(url, f"headers?Date={own.replace(' ', '%20')}").one("date") == own


def test_the_server_does_not_tell_what_it_is(url: str) -> None:
    assert get(url, "empty").one("server") is None


INJECTIONS = [
    ("X-A", "a%0d%0aX-Evil:%20yes"),
    ("X-A", "a%0aX-Evil:%20yes"),
    ("X-A", "a%0dX-Evil:%20yes"),
    ("X-A", "a%00b"),
    ("X-A", "a%7f"),
    ("X-A", "%0d%0a%0d%0aHTTP/1.1%20200%20OK"),
    ("X-%E2%82%AC", "a"),
    ("X%20A", "a"),
    ("X-A%0d%0aX-Evil", "yes"),
    ("X-A:", "a"),
    ("", "a"),
    ("X-%C3%A9", "a"),
    ("%20X-A", "a"),
]


@pytest.mark.parametrize(("name", "value"), INJECTIONS)
def test_a_header_that_is_none_is_an_error_and_nothing_of_it_is_sent(url: str, name: str, value: str) -> None:
    with Client(url) as client:
        answer = client.request(f"/e/lab/answer/injected?name={name}&value={value}")
        assert (answer.status, answer.code) == (500, "bad_answer")
        assert b"Evil" not in b"".join(key + word for key, word in answer.headers)
        assert client.request("/e/lab/saw").status == 200


# Statuses


@pytest.mark.parametrize("status", [200, 201, 203, 206, 226, 299, 300, 399, 402, 418, 451, 499, 500, 503, 511, 599])
def test_any_status_is_kept(url: str, status: int) -> None:
    answer = get(url, f"status?line={status}%20Own%20Words")
    assert (answer.status, answer.body) == (status, b"status")


@pytest.mark.parametrize("line", ["100", "101%20Switching", "103", "199", "600", "999", "1000", "0", "-200"])
def test_a_status_that_is_none_is_an_error(url: str, line: str) -> None:
    with Client(url) as client:
        answer = client.request(f"/e/lab/answer/status?line={line}")
        assert (answer.status, answer.code, answer.interim) == (500, "bad_answer", ())
        assert client.request("/e/lab/saw").status == 200


# Bodies


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("list", b"onetwothree"),
        ("iterator", "onezwölfthree".encode()),
        ("class", b"01234567891011"),
        ("wrapped", DIGITS),
        ("empty", b""),
        ("nothing-yielded", b""),
        ("empty-pieces", b"ab"),
        ("large", bytes(range(256)) * 8192),
    ],
)
def test_every_iterable_is_a_body(url: str, name: str, body: bytes) -> None:
    with Client(url) as client:
        assert client.request(f"/e/lab/answer/{name}").body == body
        # What the first answer left on the connection would be taken for the second one.
        assert client.request("/e/lab/saw").status == 200


@pytest.mark.parametrize("name", ["no-content", "not-modified"])
def test_an_answer_without_a_body_has_none(url: str, name: str) -> None:
    with Client(url) as client:
        answer = client.request(f"/e/lab/answer/{name}")
        assert (answer.status, answer.body) == ({"no-content": 204, "not-modified": 304}[name], b"")
        assert answer.one("transfer-encoding") is None
        assert client.request("/e/lab/saw").status == 200


def test_no_length_is_sent_where_there_is_no_body_to_measure(url: str) -> None:
    """The client checks that itself: it takes a 204 with a length for malformed."""
    with Client(url) as client:
        assert client.request("/e/lab/answer/injected?name=Content-Length&value=8&status=204").status == 204
        assert client.request("/e/lab/saw").status == 200


@pytest.mark.parametrize(
    "name", ["list", "iterator", "large", "headers?Content-Length=10&as=stream", "no-content", "status?line=500"]
)
def test_head_has_the_head_of_get_and_no_body(url: str, name: str) -> None:
    target = f"/e/lab/answer/{name}"
    with Client(url) as client:
        head = client.request(target, method="HEAD")
        get = client.request(target)
        assert (head.status, head.body) == (get.status, b"")
        assert client.request("/e/lab/saw").status == 200
    without = {b"date", b"transfer-encoding"}
    assert [h for h in head.headers if h[0] not in without] == [h for h in get.headers if h[0] not in without]


# werkzeug's helpers


def test_a_file_is_sent_whole_or_in_part(url: str) -> None:
    whole = get(url, "file")
    assert (whole.status, whole.body, whole.one("accept-ranges")) == (200, DIGITS, "bytes")
    part = get(url, "file", "Range: bytes=5-14")
    assert (part.status, part.one("content-range"), part.body) == (206, "bytes 5-14/1000", b"5678901234")
    assert part.length == 10
    assert get(url, "file", "Range: bytes=-3").body == b"789"
    assert get(url, "file", "Range: bytes=2000-").status == 416


def test_a_file_that_the_client_has_is_not_sent(url: str) -> None:
    answer = get(url, "file", f"If-None-Match: {get(url, 'file').one('etag')}")
    assert (answer.status, answer.body) == (304, b"")


def test_an_application_can_be_mounted(url: str) -> None:
    answer = get(url, "from-app")
    assert (answer.status, answer.body) == (203, b"from an application")
    assert (answer.one("x-script"), answer.one("x-path")) == ("/e/lab", "/answer/from-app")


def test_redirects_are_left_as_they_are(url: str) -> None:
    relative, absolute = get(url, "relative"), get(url, "absolute")
    assert (relative.status, relative.one("location")) == (303, "../elsewhere?a=b")
    assert (absolute.status, absolute.one("location")) == (301, "https://example.org/there?a=b#c")
