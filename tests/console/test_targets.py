"""What a request of *Try it* can be, and that it leads nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.console.targets import AttemptInvalid, Target, Variable, attempt, targets_of
from endpointd.plugins.status import InterfaceStatus

BASE = "http://127.0.0.1:8080"


def target(method: str = "GET", path: str = "/items/<int:id>/<path:rest>") -> Target:
    return targets_of([InterfaceStatus(method, f"{BASE}/e/hook{path}")], BASE)[0]


def test_variables_are_found_with_their_converters() -> None:
    found = target(path="/<a>/<int(min=64, max=640):b>.gif/<path:c>").variables
    assert found == (Variable("a", "string", False), Variable("b", "int", False), Variable("c", "path", True))
    assert target(path="/").variables == ()


def test_a_path_is_filled_in_and_encoded() -> None:
    made = attempt(target(), {"path.id": "7", "path.rest": "a b/ü?#/100%", "query": "?q=a b&c=ü#x"})
    assert made.path == b"/e/hook/items/7/a%20b/%C3%BC%3F%23/100%25?q=a%20b&c=%C3%BC%23x"
    assert (made.method, made.body, made.headers) == ("GET", b"", ())


def test_a_value_has_no_slash_where_the_rule_has_one_part() -> None:
    made = attempt(target(path="/<a>"), {"path.a": "x/y"})
    assert made.path == b"/e/hook/x%2Fy"


@pytest.mark.parametrize("value", ["..", "../../other/", "a/./b", "."])
def test_a_value_that_leads_to_another_path_is_refused(value: str) -> None:
    with pytest.raises(AttemptInvalid) as caught:
        attempt(target(), {"path.id": "1", "path.rest": value})
    assert [fault.code for fault in caught.value.faults] == ["path_leaves"]


def test_what_is_missing_or_no_header_is_told_all_at_once() -> None:
    with pytest.raises(AttemptInvalid) as caught:
        attempt(target(), {"path.id": "1", "headers": "no header\nHost: elsewhere\nA: \u2028\nB: a\rb\n\n"})
    found = [fault.code for fault in caught.value.faults]
    assert found == ["path_incomplete", "header_malformed", "header_reserved", "header_malformed", "header_malformed"]


def test_a_body_is_sent_where_the_method_has_one() -> None:
    form = {"body": "a\r\nb", "headers": "X-A: 1\r\nX-A: 2"}
    made = attempt(target("POST", "/"), form)
    assert made.body == b"a\nb"
    assert made.headers == (("X-A", "1"), ("X-A", "2"), ("Content-Type", "application/json"))
    assert attempt(target("GET", "/"), form).body == b""
    own = attempt(target("POST", "/"), {"body": "x", "headers": "content-type: text/csv", "content_type": "text/html"})
    assert own.headers == (("content-type", "text/csv"),)


@pytest.mark.parametrize("kind", ["text/plain; x=→", "a\r\nX-B: c"])
def test_a_type_that_no_header_can_have_is_refused(kind: str) -> None:
    with pytest.raises(AttemptInvalid) as caught:
        attempt(target("POST", "/"), {"body": "x", "content_type": kind})
    assert [fault.key for fault in caught.value.faults] == ["content_type"]


@given(
    st.dictionaries(st.sampled_from(["path.id", "path.rest", "query", "headers", "body", "content_type"]), st.text())
)
def test_whatever_is_filled_in_stays_below_the_hook(form: dict[str, str]) -> None:
    try:
        made = attempt(target("POST"), form)
    except AttemptInvalid:
        return
    assert made.path.startswith(b"/e/hook/items/")
    path = made.path.partition(b"?")[0]
    assert not {b".", b".."} & set(path.split(b"/"))
    assert all(33 <= byte < 127 for byte in made.path)
    for name, value in made.headers:
        assert "\n" not in name + value
        assert "\r" not in name + value
        assert name.lower() not in ("host", "content-length", "transfer-encoding", "connection")
