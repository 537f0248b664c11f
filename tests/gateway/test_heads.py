"""What a request's head says about its body, and what of a worker's head may be sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.gateway.heads import HOP_BY_HOP, BadHead, check_response_head, read_request_head

Header = tuple[bytes, bytes]

# Requests


def test_a_request_keeps_its_headers_as_they_came() -> None:
    headers = [(b"b", b"1"), (b"host", b"duck"), (b"a", b""), (b"b", b"2"), (b"connection", b"close"), (b"te", b"x")]
    assert read_request_head(headers).headers == headers


def test_a_client_sets_none_of_our_headers() -> None:
    forged = [(b"dify-hook-id", b"forged"), (b"dify-hook-url", b"forged"), (b"dify-hook-ids", b"kept")]
    assert read_request_head(forged).headers == [(b"dify-hook-ids", b"kept")]


@pytest.mark.parametrize(
    ("headers", "has_body", "length"),
    [
        ([], False, 0),
        ([(b"content-length", b"0")], False, 0),
        ([(b"content-length", b"17")], True, 17),
        ([(b"transfer-encoding", b"chunked")], True, None),
    ],
)
def test_a_request_says_how_much_follows(headers: list[Header], has_body: bool, length: int | None) -> None:
    head = read_request_head(headers)
    assert (head.has_body, head.length) == (has_body, length)


@pytest.mark.parametrize("hosts", [0, 1, 2])
def test_hosts_are_counted(hosts: int) -> None:
    head = read_request_head([(b"host", b"duck.example")] * hosts)
    assert (head.hosts, head.host) == (hosts, b"duck.example" if hosts else b"")


@pytest.mark.parametrize(
    ("raw", "value"), [(b"a \t ", b"a"), (b" ", b""), (b"a b", b"a b"), (b"\xc3\xa4", b"\xc3\xa4")]
)
def test_white_space_behind_a_value_is_none_of_it(raw: bytes, value: bytes) -> None:
    head = read_request_head([(b"x-a", raw), (b"content-length", b"5 ")])
    assert head.headers == [(b"x-a", value), (b"content-length", b"5")]
    assert head.length == 5


# Responses


def pairs(*headers: Header) -> tuple[Header, ...]:
    """Headers as they come over the wire."""
    return headers


def test_a_response_keeps_its_headers_in_order_and_repeated() -> None:
    headers = pairs((b"Set-Cookie", b"a=1"), (b"X-A", b"\xe9\t1"), (b"Set-Cookie", b"b=2"), (b"x-a", b""))
    kept = check_response_head(200, headers, "GET").headers
    assert kept == [(b"set-cookie", b"a=1"), (b"x-a", b"\xe9\t1"), (b"set-cookie", b"b=2"), (b"x-a", b"")]


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_headers_about_the_connection_are_ours(name: bytes) -> None:
    for spelling in (name, name.title(), name.upper()):
        assert check_response_head(200, pairs((spelling, b"x"), (b"X-B", b"y")), "GET").headers == [(b"x-b", b"y")]


@pytest.mark.parametrize(
    ("method", "status", "has_body"),
    [("GET", 200, True), ("HEAD", 200, False), ("GET", 204, False), ("GET", 304, False), ("POST", 404, True)],
)
def test_some_responses_have_no_body(method: str, status: int, has_body: bool) -> None:
    assert check_response_head(status, (), method).has_body == has_body


def test_a_length_is_kept_where_it_may_be() -> None:
    headers = pairs((b"Content-Length", b"5"))
    for status, method in ((200, "GET"), (200, "HEAD"), (304, "GET")):
        head = check_response_head(status, headers, method)
        assert (head.length, head.headers) == (5, [(b"content-length", b"5")])
    assert check_response_head(204, headers, "GET").headers == []
    assert check_response_head(200, (), "GET").length is None


def test_a_repeated_length_is_one_length() -> None:
    head = check_response_head(200, pairs((b"content-length", b"5"), (b"Content-Length", b"005")), "GET")
    assert (head.length, head.headers) == (5, [(b"content-length", b"5")])


def test_a_date_is_noticed() -> None:
    assert check_response_head(200, pairs((b"Date", b"today")), "GET").has_date
    assert not check_response_head(200, pairs((b"X-Date", b"today")), "GET").has_date


@pytest.mark.parametrize("status", [-1, 0, 99, 100, 101, 199, 600, 1000, 2**70])
def test_a_status_is_a_final_one(status: int) -> None:
    with pytest.raises(BadHead, match=f"the response's status is {status}"):
        check_response_head(status, (), "GET")


@pytest.mark.parametrize("length", [b"", b"-1", b"+5", b" 5", b"5 ", b"5,5", b"0x5", b"5.0", b"1" * 19, b"\xd9\xa5"])
def test_a_length_is_a_plain_number(length: bytes) -> None:
    with pytest.raises(BadHead, match="Content-Length is"):
        check_response_head(200, pairs((b"Content-Length", length)), "GET")


def test_two_lengths_are_none() -> None:
    with pytest.raises(BadHead, match="two lengths, 5 and 6"):
        check_response_head(200, pairs((b"Content-Length", b"5"), (b"content-length", b"6")), "GET")


@pytest.mark.parametrize(
    "header",
    ["text", b"bytes", None, 7, (), (b"a",), (b"a", b"b", b"c"), ("a", b"b"), (b"a", "b"), (b"a", 1), ({}, b""), {}],
)
def test_a_header_is_a_pair_of_bytes(header: object) -> None:
    with pytest.raises(BadHead, match="not a pair"):
        check_response_head(200, (header,), "GET")


@pytest.mark.parametrize("name", [b"", b"a b", b"a:", b"a\r\nb", b"\xe9", b"a\n", b"a\x00", b"(a)", b"a\t"])
def test_a_name_is_a_token(name: bytes) -> None:
    for _ in range(2):
        with pytest.raises(BadHead, match="cannot be the name"):
            check_response_head(200, pairs((name, b"x")), "GET")


@pytest.mark.parametrize("value", [b"a\r\nSet-Cookie: b=1", b"a\n", b"\r", b"\x00", b"\x7f", b"a\x1fb", b"\n"])
def test_a_value_ends_no_line(value: bytes) -> None:
    for name in (b"X-A", b"Connection", b"content-length"):
        with pytest.raises(BadHead, match="has a control character"):
            check_response_head(200, pairs((name, value)), "GET")


TUPLES = st.lists(st.binary(max_size=8), min_size=1, max_size=3).map(tuple)


@given(st.integers(), st.lists(TUPLES, max_size=4).map(tuple), st.text(max_size=4))
def test_any_head_is_sendable_or_bad(status: int, headers: tuple[object, ...], method: str) -> None:
    try:
        head = check_response_head(status, headers, method)
    except BadHead:
        return
    written = b"".join(b"%s: %s\r\n" % header for header in head.headers)
    lines = written.split(b"\r\n")
    assert len(lines) == len(head.headers) + 1
    assert all(b"\n" not in line and b"\r" not in line for line in lines)
    assert not {name for name, _ in head.headers} & HOP_BY_HOP


def test_more_names_than_are_remembered_are_checked_all_the_same() -> None:
    headers = pairs(*((b"X-%d" % number, b"x") for number in range(3000)))
    for _ in range(2):
        assert len(check_response_head(200, headers, "GET").headers) == 3000
        with pytest.raises(BadHead):
            check_response_head(200, (*headers, (b"X 9999", b"x")), "GET")


def test_a_head_that_was_seen_before_is_the_same() -> None:
    for _ in range(2):
        for status, has_body in ((200, True), (204, False)):
            for method in ("GET", "HEAD"):
                head = check_response_head(status, pairs((b"X-A", b"1"), (b"Content-Length", b"5")), method)
                assert head.has_body == (has_body and method == "GET")
                assert head.length == 5
                assert (b"content-length", b"5") in head.headers or status == 204


def test_what_only_looks_like_a_head_seen_before_is_checked() -> None:
    assert check_response_head(200, pairs((b"X-A", b"1"), (b"X-B", b"2")), "GET").headers
    others: list[tuple[object, ...]] = [
        ((b"X-A", b"1", b"X-B", b"2"),),
        ({b"X-A": 0, b"1": 0}, (b"X-B", b"2")),
        (b"X-A", b"1", b"X-B", b"2"),
    ]
    for other in others:
        with pytest.raises(BadHead):
            check_response_head(200, other, "GET")


def test_a_head_is_written_as_it_is_kept() -> None:
    head = check_response_head(200, pairs((b"X-A", b"1"), (b"Connection", b"close"), (b"Date", b"today")), "GET")
    assert head.lines == b"x-a: 1\r\ndate: today\r\n"
