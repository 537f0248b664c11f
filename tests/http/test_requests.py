"""What a plugin sees of a request's head is what the client sent, byte for byte."""

from typing import Any

import pytest

from support.raw_http import Client, ask, plain

SENT_BY_HOST = {"Dify-Hook-Id", "Dify-Hook-Url"}


def seen(url: str, target: str, *headers: str, method: str = "GET") -> dict[str, Any]:
    answer = ask(url, target, *headers, method=method)
    assert answer.status == 200, answer
    return dict(answer.json())


def seen_raw(url: str, request: bytes) -> dict[str, Any]:
    with Client(url) as client:
        client.send(request)
        answer = client.read()
    assert answer.status == 200, answer
    return dict(answer.json())


def sent_headers(saw: dict[str, Any]) -> list[list[str]]:
    return [header for header in saw["headers"] if header[0] not in SENT_BY_HOST]


# The path

PATHS = [
    # the raw path; PATH_INFO as WSGI has it; the value of the rule's variable
    ("a", "/saw/a", "a"),
    ("a%2Fb", "/saw/a/b", "a/b"),
    ("a%2fb%2F", "/saw/a/b/", "a/b/"),
    ("a//b///c", "/saw/a//b///c", "a//b///c"),
    ("caf%C3%A9", "/saw/caf\xc3\xa9", "café"),
    ("%E4%BD%A0%E5%A5%BD", "/saw/\xe4\xbd\xa0\xe5\xa5\xbd", "你好"),
    ("%FF%FE", "/saw/\xff\xfe", "\ufffd\ufffd"),
    ("%25%32%35", "/saw/%25", "%25"),
    ("%", "/saw/%", "%"),
    ("%zz%4", "/saw/%zz%4", "%zz%4"),
    ("a%20b+c", "/saw/a b+c", "a b+c"),
    ("%00%0d%09", "/saw/\0\r\t", "\0\r\t"),
    ("a;b=c,d:e@f!$&'()*~", "/saw/a;b=c,d:e@f!$&'()*~", "a;b=c,d:e@f!$&'()*~"),
    ('"<>[\\]^`{|}', '/saw/"<>[\\]^`{|}', '"<>[\\]^`{|}'),
    ("./../a", "/saw/./../a", "./../a"),
]


@pytest.mark.parametrize(("raw", "path_info", "rest"), PATHS)
def test_the_path_is_decoded_once_and_kept_as_it_came(url: str, raw: str, path_info: str, rest: str) -> None:
    saw = seen(url, f"/e/lab/saw/{raw}")
    assert saw["environ"]["PATH_INFO"] == path_info
    assert saw["environ"]["REQUEST_URI"] == f"/e/lab/saw/{raw}"
    assert saw["values"] == {"rest": rest}


def test_an_encoded_slash_does_not_fit_a_single_segment(url: str) -> None:
    assert ask(url, "/e/lab/word/a%2Fb/end").code == "interface_unknown"
    assert seen(url, "/e/lab/word/caf%C3%A9/end")["values"] == {"word": "café"}


def test_empty_segments_are_merged_where_no_variable_takes_them(url: str) -> None:
    answer = ask(url, "/e/lab/word//x//end?q=%41&&")
    assert (answer.status, answer.one("location")) == (308, "/e/lab/word/x/end?q=%41&&")


def test_a_missing_slash_is_added_with_the_query_kept(url: str) -> None:
    answer = ask(url, "/e/lab/slash?a=%2f&b&c=%20+;=&&", method="POST")
    assert (answer.status, answer.one("location")) == (308, "/e/lab/slash/?a=%2f&b&c=%20+;=&&")
    assert ask(url, "/e/lab/slash/", method="POST").status == 200


@pytest.mark.parametrize(("query", "location"), [("", "/e/lab/"), ("?", "/e/lab/"), ("?a=%2f&&", "/e/lab/?a=%2f&&")])
def test_an_endpoint_without_its_slash_is_redirected(url: str, query: str, location: str) -> None:
    answer = ask(url, f"/e/lab{query}")
    assert (answer.status, answer.one("location"), answer.body) == (308, location, b"")


def test_a_redirect_names_no_host_that_the_client_could_choose(url: str) -> None:
    for target in ("/e/lab//evil.test/slash", "/e/lab/slash", "/e/lab"):
        answer = ask(url, target)
        assert answer.status == 404 or (answer.one("location") or "").startswith("/e/lab/")


def test_the_plugin_is_mounted_at_its_endpoint(url: str) -> None:
    saw = seen(url, "/e/lab/saw/x?y=z")
    assert saw["environ"]["SCRIPT_NAME"] == "/e/lab"
    assert saw["path"] == "/saw/x"
    assert saw["root_url"] == "http://daemon.test/e/lab/"
    assert saw["url"] == "http://daemon.test/e/lab/saw/x?y=z"
    assert saw["settings"] == {"greeting": "hello"}


# The query

QUERIES = [
    "",
    "a=1&b&c=%20+;=&&",
    "%FF=%00",
    "=&=&&&",
    "?",
    "??a=/b/?c",
    "a=caf%C3%A9",
    "q=%",
    "q=\"<>|{}^`\\'",
    "%2B+%20",
]


@pytest.mark.parametrize("query", QUERIES)
def test_the_query_is_kept_byte_for_byte(url: str, query: str) -> None:
    saw = seen(url, f"/e/lab/saw?{query}")
    assert saw["environ"]["QUERY_STRING"] == query
    assert saw["environ"]["REQUEST_URI"] == (f"/e/lab/saw?{query}" if query else "/e/lab/saw")


def test_bytes_beyond_ascii_in_the_query_are_kept_or_refused(url: str) -> None:
    with Client(url) as client:
        client.send(b"GET /e/lab/saw?q=\xe9 HTTP/1.1\r\nHost: h\r\n\r\n")
        answer = client.read()
    if answer.status == 200:
        assert answer.json()["environ"]["QUERY_STRING"] == "q=\xe9"
    else:
        assert answer.code == "request_malformed"


def test_the_absolute_form_of_a_target_is_understood(url: str) -> None:
    saw = seen_raw(url, b"GET http://other.test:81/e/lab/saw/a%2Fb?q=%20 HTTP/1.1\r\nHost: daemon.test\r\n\r\n")
    assert saw["environ"]["PATH_INFO"] == "/saw/a/b"
    assert saw["environ"]["QUERY_STRING"] == "q=%20"


# The headers


def test_headers_keep_their_order_and_their_repeats(url: str) -> None:
    lines = ["B: 1", "A: 2", "B: 3", "Accept: x", "A: 2", "A-Long-Name: 4", "B:"]
    saw = seen(url, "/e/lab/saw", *lines)
    expected = [["B", "1"], ["A", "2"], ["B", "3"], ["Accept", "x"], ["A", "2"], ["A-Long-Name", "4"], ["B", ""]]
    assert sent_headers(saw) == [["Host", "daemon.test"], *expected]
    assert saw["environ"]["HTTP_B"] == "1, 3, "


def test_header_values_are_bytes(url: str) -> None:
    value = "caf\xe9 \xff\xa0\t\"quoted\" 'x' \\ ,;"
    saw = seen(url, "/e/lab/saw", f"X-Latin:  {value} \t ")
    assert sent_headers(saw)[1] == ["X-Latin", value]
    assert saw["environ"]["HTTP_X_LATIN"] == value


def test_a_name_with_an_underscore_cannot_pass_for_another(url: str) -> None:
    saw = seen(url, "/e/lab/saw", "X_Forwarded_For: 6.6.6.6", "Content_Length: 12", "X-Other: 1")
    assert sent_headers(saw)[1:3] == [["X_Forwarded_For", "6.6.6.6"], ["Content_Length", "12"]]
    assert "HTTP_X_FORWARDED_FOR" not in saw["environ"]
    assert "CONTENT_LENGTH" not in saw["environ"]


def test_repeated_cookies_are_all_seen(url: str) -> None:
    saw = seen(url, "/e/lab/saw", "Cookie: a=1; b=2", "Cookie: a=3", 'Cookie: c="x y"; d=%20')
    assert saw["cookies"] == [["a", "1"], ["a", "3"], ["b", "2"], ["c", "x y"], ["d", "%20"]]
    assert saw["environ"]["HTTP_COOKIE"] == 'a=1; b=2; a=3; c="x y"; d=%20'


def test_a_request_of_many_and_large_headers_arrives(url: str) -> None:
    lines = [f"X-{number}: {'v' * 400}" for number in range(100)]
    saw = seen(url, "/e/lab/saw", *lines, f"X-Large: {'w' * 20_000}")
    assert [value for name, value in sent_headers(saw) if name == "X-Large"] == ["w" * 20_000]
    assert len(sent_headers(saw)) == 102


def test_a_head_that_arrives_byte_by_byte_is_the_same(url: str) -> None:
    request = plain("/e/lab/saw/x%2Fy?a=b", "X-One: 1", "X-Two: 2")
    with Client(url) as client:
        client.send(request)
        at_once = client.read().json()
        client.send_bytewise(request)
        bytewise = client.read().json()
    for saw in (at_once, bytewise):
        del saw["environ"]["endpointd.request_id"]
    assert bytewise == at_once


def test_every_method_that_a_plugin_can_have_reaches_it(url: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS"):
        assert seen(url, "/e/lab/saw", method=method)["method"] == method
    head = ask(url, "/e/lab/saw", method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.length is not None


def test_request_ids_differ(url: str) -> None:
    ids = {seen(url, "/e/lab/saw")["environ"]["endpointd.request_id"] for _ in range(10)}
    assert len(ids) == 10
