"""Routing: werkzeug's rules for one plugin, and that no path can make them raise, hang or leave the host."""

import string
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from endpointd.manifest.model import METHODS, Interface
from endpointd.manifest.rules import RuleProblem
from endpointd.plugins.routing import (
    REMEMBERED,
    REMEMBERED_LENGTH,
    Matched,
    MethodNotAllowed,
    NotFound,
    Redirect,
    Route,
    RouteTable,
)

PREFIX = "/e/hook"


def table(*routes: str) -> RouteTable:
    """A table of `"METHOD path"` routes."""
    return RouteTable(
        [Interface(path, method, "a.py") for method, _, path in (route.partition(" ") for route in routes)]
    )


def match(routes: RouteTable, path: str, method: str = "GET", query: str = "") -> Route:
    """What the table says of a request under PREFIX."""
    return routes.match(path, method, query, PREFIX)


def matched(routes: RouteTable, path: str, method: str = "GET") -> Matched:
    """The match of a request; the test fails if there is none."""
    route = match(routes, path, method)
    assert isinstance(route, Matched)
    return route


@pytest.mark.parametrize(
    ("rule", "path", "values"),
    [
        ("/", "/", {}),
        ("/a/b.json", "/a/b.json", {}),
        ("/a//b", "/a/b", {}),
        ("/<x>", "/é ü%", {"x": "é ü%"}),
        ("/<x>", "/\udcff", {"x": "\udcff"}),
        ("/duck/<app_id>", "/duck/7", {"app_id": "7"}),
        ("/uwu/<name>/uwu", "/uwu/cat/uwu", {"name": "cat"}),
        ("/<string:x>", "/abc", {"x": "abc"}),
        ("/<string(length=2):x>", "/ab", {"x": "ab"}),
        ("/<string(minlength=2,maxlength=3):x>", "/abc", {"x": "abc"}),
        ("/<any(a, b, 'c.d'):x>", "/c.d", {"x": "c.d"}),
        ("/<path:x>", "/a/b//c/", {"x": "a/b//c/"}),
        ("/<path:x>/raw", "/a/b/raw", {"x": "a/b"}),
        ("/<int:x>", "/007", {"x": 7}),
        ("/<int(signed=True):x>", "/-7", {"x": -7}),
        ("/<int(min=2,max=5):x>", "/5", {"x": 5}),
        ("/<int(fixed_digits=3):x>", "/007", {"x": 7}),
        ("/<float:x>", "/1.5", {"x": 1.5}),
        ("/<float(signed=True,max=0.5):x>", "/-1.5", {"x": -1.5}),
        (
            "/<uuid:x>",
            "/12345678-1234-1234-1234-1234567890ab",
            {"x": UUID("12345678-1234-1234-1234-1234567890ab")},
        ),
        ("/<year>-<month>.html", "/2026-01.html", {"year": "2026", "month": "01"}),
    ],
)
def test_a_path_that_suits_its_rule_gives_the_values(rule: str, path: str, values: dict[str, Any]) -> None:
    assert match(table(f"GET {rule}"), path) == Matched(0, values)


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ("/", "/a"),
        ("/a", "/A"),
        ("/a", "/a/"),
        ("/<x>", "/a/b"),
        ("/<x>", "/"),
        ("/<string(length=2):x>", "/abc"),
        ("/<any(a,b):x>", "/c"),
        ("/<int:x>", "/-7"),
        ("/<int:x>", "/x"),
        ("/<int:x>", "/" + "9" * 5000),
        ("/<int(max=5):x>", "/6"),
        ("/<int(fixed_digits=3):x>", "/7"),
        ("/<float:x>", "/1"),
        ("/<uuid:x>", "/1234"),
        ("/<path:x>", "/"),
    ],
)
def test_a_path_that_does_not_suit_is_not_found(rule: str, path: str) -> None:
    assert match(table(f"GET {rule}"), path) == NotFound()


def test_the_more_exact_rule_wins_whatever_the_order() -> None:
    routes = table("GET /<path:x>", "GET /<x>", "GET /<int:x>", "GET /a")

    assert [matched(routes, path).interface for path in ("/a/b", "/b", "/5", "/a")] == [0, 1, 2, 3]


def test_each_method_of_a_path_is_a_route_of_its_own() -> None:
    routes = table(*(f"{method} /a/<x>" for method in METHODS), *(f"{method} /b" for method in METHODS))

    for at, method in enumerate(METHODS):
        assert match(routes, "/a/1", method) == Matched(at, {"x": "1"})
        assert match(routes, "/b", method) == Matched(at + len(METHODS), {})


def test_the_wrong_method_is_told_the_right_ones_in_order() -> None:
    routes = table("POST /a", "GET /a", "DELETE /<x>", "PUT /a/")

    assert match(routes, "/a", "PATCH") == MethodNotAllowed(("DELETE", "GET", "HEAD", "POST"))
    assert match(routes, "/b", "GET") == MethodNotAllowed(("DELETE",))
    assert match(routes, "/a", "OPTIONS") == MethodNotAllowed(("DELETE", "GET", "HEAD", "POST"))
    assert match(routes, "/a", "") == MethodNotAllowed(("DELETE", "GET", "HEAD", "POST"))


@pytest.mark.parametrize("rule", ["/a", "/<x>"])
def test_a_get_rule_answers_head(rule: str) -> None:
    assert matched(table("POST /z", f"GET {rule}"), "/a", "HEAD").interface == 1


@pytest.mark.parametrize("rules", [("/a", "/a"), ("/a/", "//a/"), ("/<x>", "/<y>"), ("/<path:x>", "/<path:y>")])
def test_a_head_interface_of_the_same_path_answers_head_whatever_the_order(rules: tuple[str, str]) -> None:
    path = rules[0].replace("<x>", "v").replace("<path:x>", "v/w")

    assert matched(table(f"GET {rules[0]}", f"HEAD {rules[1]}"), path, "HEAD").interface == 1
    assert matched(table(f"HEAD {rules[0]}", f"GET {rules[1]}"), path, "HEAD").interface == 0
    assert matched(table(f"GET {rules[0]}", f"HEAD {rules[1]}"), path, "GET").interface == 0


def test_a_head_interface_does_not_change_the_order_of_other_rules() -> None:
    routes = table("HEAD /<any(a):y>", "GET /<x>", "GET /<any(a):y>")
    without = table("GET /<string(length=1):w>", "GET /<x>", "HEAD /<x>")

    assert matched(routes, "/a").interface == 2
    assert matched(without, "/a").interface == 0


@pytest.mark.parametrize(
    ("path", "query", "location"),
    [
        ("/a", "", "/e/hook/a/"),
        ("/a", "q=1", "/e/hook/a/?q=1"),
        ("/a", "b=2&a=1&a=%2F+%zz;'\"<>&=", "/e/hook/a/?b=2&a=1&a=%2F+%zz;'\"<>&="),
        ("/a", "q=a b\r\nX: y#f\xff", "/e/hook/a/?q=a%20b%0D%0AX:%20y%23f%FF"),
        ("/b//c", "", "/e/hook/b/c"),
        ("/b//c", "q", "/e/hook/b/c?q"),
        ("/d//é?#\\%\r\n", "", "/e/hook/d/%C3%A9%3F%23%5C%25%0D%0A/"),
        ("/d/evil.example", "", "/e/hook/d/evil.example/"),
        ("//d//evil.example", "", "/e/hook/d/evil.example/"),
        ("//a", "", "/e/hook/a/"),
        ("", "q=1", "/e/hook/?q=1"),
    ],
)
def test_slashes_are_put_right_by_a_redirect_that_stays_on_this_host(path: str, query: str, location: str) -> None:
    routes = table("GET /", "GET /a/", "GET /b/c", "GET /d/<x>/")

    assert match(routes, path, query=query) == Redirect(location)


def test_a_redirect_is_only_for_a_method_that_is_there() -> None:
    assert match(table("GET /a/"), "/a", "POST") == NotFound()


def test_a_redirect_to_a_path_that_is_not_utf8_is_not_made() -> None:
    assert match(table("GET /<x>/"), "/\udcff") == NotFound()


def test_no_routes_find_nothing() -> None:
    assert match(table(), "/") == NotFound()


def test_the_values_are_the_callers_to_change() -> None:
    routes = table("GET /", "GET /<x>")

    matched(routes, "/").values["a"] = 1
    matched(routes, "/y").values["a"] = 1

    assert matched(routes, "/").values == {}
    assert matched(routes, "/y").values == {"x": "y"}


def test_a_path_that_was_matched_before_is_matched_alike() -> None:
    routes = table("GET /<int:x>/a", "POST /<x>/a", "GET /<path:x>")
    paths = [f"/{number}/a" for number in range(REMEMBERED + 10)] + [f"/{'x' * REMEMBERED_LENGTH}/long"]
    first = [(match(routes, path), match(routes, path, "POST"), match(routes, path, "PUT")) for path in paths]
    again = [(match(routes, path), match(routes, path, "POST"), match(routes, path, "PUT")) for path in paths]
    assert first == again
    assert first[7] == (Matched(0, {"x": 7}), Matched(1, {"x": "7"}), MethodNotAllowed(("GET", "HEAD", "POST")))
    assert len(routes._known) <= REMEMBERED


def test_a_path_that_is_not_a_rule_is_refused_when_the_table_is_made() -> None:
    with pytest.raises(RuleProblem):
        table("GET /<int:a")


# Unguarded, the longer ones take hours.
@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    ("rule", "unit"),
    [
        ("/<a>-<b>-<c>.html", "-"),
        ("/<a>-<b>-<c>-<d>-<e>.html", "-"),
        ("/<a><b><c><d><e><f>x", "a"),
        ("/<path:a>/<path:b>/<path:c>/end", "a/"),
        ("/<int:a><int:b><int:c><int:d>x", "1"),
    ],
)
def test_a_crowded_rule_and_a_hostile_path_do_not_stop_the_host(rule: str, unit: str) -> None:
    routes = table(f"GET {rule}")

    for length in (50, 60, 120, 380, 4000, 60_000):
        assert match(routes, "/" + unit * (length // len(unit))) == NotFound()


def test_a_rule_that_is_not_crowded_takes_a_path_of_any_length() -> None:
    routes = table("GET /<a>/<path:b>", "GET /x/<a>-<b>")

    assert matched(routes, "/y/" + "a/" * 30_000 + "b").interface == 0
    assert match(routes, "/x/2026-01") == Matched(1, {"a": "2026", "b": "01"})


EVERYTHING = table(
    *("GET /", "GET /a/", "POST /a", "GET /b//c", "GET /<x>", "PUT /<x>/", "GET /<int:n>/x", "HEAD /<int:n>/x"),
    *("GET /f/<float(signed=True):f>/", "GET /u/<uuid:u>", "GET /p/<path:p>/", "GET /p/<path:p>/<path:q>/z"),
    *("GET /s/<string(minlength=2,maxlength=3):s>", "GET /y/<any(a,'b c'):y>/", "DELETE /<a>-<b>.<c>"),
)
PATHS = st.one_of(
    st.text(max_size=50),
    st.text(st.characters(codec=None), max_size=20),
    st.lists(st.sampled_from([*"/\\.-?#%abfpsuxyz0159\r\n\udc80é", "//", "1.5", "9" * 5000]), max_size=30).map("".join),
)


@given(PATHS, st.sampled_from([*METHODS, "PATCH", "get", "", "é"]), st.text(max_size=20))
@settings(max_examples=2000, deadline=None)
def test_no_path_method_or_query_raises_and_no_redirect_leaves_the_host(path: str, method: str, query: str) -> None:
    route = EVERYTHING.match(f"/{path}", method, query, PREFIX)

    assert isinstance(route, Matched | Redirect | NotFound | MethodNotAllowed)
    if isinstance(route, Redirect):
        assert set(route.location) <= set(string.printable) - set(string.whitespace)
        assert route.location.startswith(f"{PREFIX}/")
        parts = urlsplit(route.location)
        assert (parts.scheme, parts.netloc, parts.fragment) == ("", "", "")
        assert not isinstance(EVERYTHING.match(unquote(parts.path)[len(PREFIX) :], method, "", PREFIX), Redirect)
