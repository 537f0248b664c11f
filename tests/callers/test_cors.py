"""What browsers are told (Fetch standard)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.callers.cors import Cors, CorsHeaders, is_preflight
from endpointd.callers.origins import Origins, read_origin
from endpointd.callers.rules import CorsRule

APP = "https://app.example.com"
ORIGIN = (b"origin", APP.encode())
ALLOWED = (b"access-control-allow-origin", APP.encode())
VARY = (b"vary", b"Origin")
ASKS = (b"access-control-request-method", b"PUT")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("https://App.Example.com", APP),
        ("https://app.example.com:443", APP),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://*.example.com", "https://*.example.com"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("*", "*"),
    ],
)
def test_origins_are_kept_as_browsers_write_them(text: str, kept: str) -> None:
    assert read_origin(text) == kept == read_origin(kept)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("app.example.com", "begins with https"),
        ("https://app.example.com/", "that of this page is https://app.example.com"),
        ("https://app.example.com/page?x=1", "that of this page is https://app.example.com"),
        ("https://a@app.example.com", "that of this page is https://app.example.com"),
        ("null", "every page that has none"),
        ("https://", "a scheme, a host"),
        ("https://app.example.com:0", "a port"),
        ("https://[::1", "no origin"),
        ("https://a b", "a scheme, a host"),
        ("https://app.*.com", "a scheme, a host"),
    ],
)
def test_what_is_no_origin_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_origin(text)


@given(st.text())
def test_whatever_is_given_for_an_origin_is_read_or_refused(text: str) -> None:
    try:
        kept = read_origin(text)
    except ValueError:
        return
    assert read_origin(kept) == kept


def test_hosts_below_are_below_and_nothing_else() -> None:
    below = Origins(["https://*.example.com"])
    assert below.has("https://a.example.com")
    assert below.has("https://a.b.example.com")
    for other in (
        "https://example.com",
        "https://badexample.com",
        "http://a.example.com",
        "https://a.example.com:8443",
        "https://a.example.com.evil.org",
        "https://evil.org/.example.com",
        "null",
        "",
    ):
        assert not below.has(other), other


def test_an_origin_that_may_call_is_named_and_answers_differ() -> None:
    assert Cors(CorsRule((APP,))).headers_for([ORIGIN]).plain() == (ALLOWED, VARY)
    with_more = Cors(CorsRule((APP,), credentials=True, expose=("X-Id",)))
    assert with_more.headers_for([ORIGIN]).headers == (
        ALLOWED,
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"X-Id"),
    )


@pytest.mark.parametrize("headers", [[], [(b"origin", b"https://evil.org")], [ORIGIN, ORIGIN], [(b"origin", b"null")]])
def test_others_are_told_nothing_and_caches_are(headers: list[tuple[bytes, bytes]]) -> None:
    cors = Cors(CorsRule((APP,)))
    assert cors.headers_for(headers).plain() == (VARY,)
    assert cors.preflight(headers) is None


def test_for_every_page_all_answers_are_alike() -> None:
    anybody = CorsHeaders(((b"access-control-allow-origin", b"*"),), varies=False)
    assert Cors(CorsRule(("*",))).headers_for([]) == anybody


def test_a_preflight_is_told_what_everybody_expects() -> None:
    asks = (b"access-control-request-headers", b"authorization,content-type")
    assert Cors(CorsRule((APP,))).preflight([ORIGIN, ASKS, asks]) == [
        ALLOWED,
        VARY,
        (b"access-control-allow-methods", b"GET, HEAD, POST, PUT, DELETE, OPTIONS"),
        (b"access-control-max-age", b"600"),
        (b"access-control-allow-headers", b"authorization,content-type"),
    ]


def test_a_preflight_is_told_what_the_rule_says() -> None:
    rule = CorsRule((APP,), ("GET",), ("X-Key",), ("X-Id",), credentials=True, max_age=0)
    assert Cors(rule).preflight([ORIGIN, ASKS]) == [
        ALLOWED,
        (b"access-control-allow-credentials", b"true"),
        VARY,
        (b"access-control-allow-methods", b"GET"),
        (b"access-control-max-age", b"0"),
        (b"access-control-allow-headers", b"X-Key"),
    ]


@pytest.mark.parametrize("asked", [b"a b", b"a:b", b"x" * 5000, b"a,,b", b"\x00"])
def test_what_is_asked_for_is_repeated_only_when_it_is_names(asked: bytes) -> None:
    told = Cors(CorsRule((APP,))).preflight([ORIGIN, ASKS, (b"access-control-request-headers", asked)])
    assert told is not None
    assert b"access-control-allow-headers" not in dict(told)


def test_only_a_real_preflight_is_one() -> None:
    assert is_preflight("OPTIONS", [ORIGIN, ASKS])
    assert not is_preflight("GET", [ORIGIN, ASKS])
    assert not is_preflight("OPTIONS", [ORIGIN])
    assert not is_preflight("OPTIONS", [ASKS])
    assert not is_preflight("OPTIONS", [])


def test_the_rule_replaces_what_the_plugin_says() -> None:
    said = [
        (b"content-type", b"text/plain"),
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"Mcp-Session-Id"),
        (b"vary", b"Accept"),
    ]
    kept = [said[0], said[3], said[4]]
    assert Cors(CorsRule((APP,))).headers_for([ORIGIN]).over(said) == [*kept, ALLOWED, VARY]
    assert Cors(CorsRule((APP,))).headers_for([]).over(said) == [*kept, VARY]
    exposing = Cors(CorsRule(("*",), expose=("X-Id",))).headers_for([])
    assert exposing.over(said) == [said[0], said[4], *exposing.headers]


@pytest.mark.parametrize("vary", [b"*", b"Accept, origin", b"Origin"])
def test_an_answer_varies_once(vary: bytes) -> None:
    assert Cors(CorsRule((APP,))).headers_for([]).over([(b"vary", vary)]) == [(b"vary", vary)]
