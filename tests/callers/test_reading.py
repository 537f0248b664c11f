"""Rules as they are given: read, or refused with everything that is wrong."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from endpointd.callers.buckets import Buckets
from endpointd.callers.guard import Guard
from endpointd.callers.reading import changed_rules, read_rules
from endpointd.callers.rules import UNSAID, CallerRules, CorsRule

NETWORKS = st.sampled_from(["192.0.2.1", "10.0.0.0/8", "unix", "any"])
OTHERS = st.sampled_from(["10/s", "1/h overall", "unlimited", "*", "https://a.example", "none", "", "GET", "x y"])
WORDS = NETWORKS | OTHERS
JUNK = st.recursive(
    WORDS | st.none() | st.booleans() | st.integers(-1, 90_000) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["origins", "methods", "credentials", "max_age", "x"]), inner, max_size=4)
    ),
    max_leaves=8,
)


def test_all_of_it_is_read() -> None:
    rules, faults = read_rules(
        {
            "allow_from": ["192.0.2.0/24", "192.0.2.0/24", "unix"],
            "rate": "10 / s burst 20",
            "cors": {"origins": "https://a.example, https://b.example", "methods": ["get"], "credentials": True},
            "name": "of no concern",
        }
    )
    assert not faults
    assert rules == CallerRules(
        ("192.0.2.0/24", "unix"),
        "10/s burst 20",
        CorsRule(("https://a.example", "https://b.example"), ("GET",), credentials=True),
    )


def test_everything_that_is_wrong_is_told_at_once() -> None:
    cors = {"origin": "https://a.example", "methods": ["PATCH"], "headers": [1], "credentials": "yes", "max_age": -1}
    _, faults = read_rules({"allow_from": ["x", "192.0.2.1/24"], "rate": "often", "cors": cors})
    assert [(fault.key, fault.code) for fault in faults] == [
        ("allow_from", "caller_rule_invalid"),
        ("allow_from", "caller_rule_invalid"),
        ("rate", "caller_rule_invalid"),
        ("cors.origin", "key_unknown"),
        ("cors.origins", "caller_rule_invalid"),
        ("cors.methods", "caller_rule_invalid"),
        ("cors.headers", "wrong_type"),
        ("cors.credentials", "wrong_type"),
        ("cors.max_age", "caller_rule_invalid"),
    ]
    assert "192.0.2.0/24" in faults[1].message
    assert faults[3].remedy == "did you mean 'origins'?"


def test_credentials_are_not_for_every_page() -> None:
    [fault] = read_rules({"cors": {"origins": ["*"], "credentials": True}})[1]
    assert fault.code == "cors_too_open"


def test_a_list_has_a_bound() -> None:
    [fault] = read_rules({"allow_from": [f"10.0.{one}.0/24" for one in range(257)]})[1]
    assert "257 items" in fault.message


def test_a_long_item_is_refused_and_not_cut_to_another_one() -> None:
    document = {
        "allow_from": [f"10.0.0.1{' ' * 300}x"],
        "rate": f"10/s{' ' * 300}overall",
        "cors": f"https://{'a' * 300}",
    }
    faults = read_rules(document)[1]
    assert {fault.key for fault in faults} == {"allow_from", "rate", "cors.origins"}


@given(st.fixed_dictionaries({}, optional={"allow_from": JUNK, "rate": JUNK, "cors": JUNK}))
def test_whatever_is_given_is_read_or_refused_and_what_is_read_is_kept(document: dict[str, Any]) -> None:
    rules, faults = read_rules(document)
    if faults:
        assert all(fault.key.partition(".")[0] in document for fault in faults)
        return
    assert read_rules(rules.document()) == (rules, ())
    Guard.make("e", rules, Buckets())


def test_what_a_change_does_not_name_stays_and_an_empty_rule_goes() -> None:
    before, _ = read_rules({"allow_from": ["192.0.2.1"], "rate": "1/s", "cors": "*"})
    assert changed_rules(before, {}) == (before, ())
    assert changed_rules(before, {"rate": "2/s"})[0] == CallerRules(before.allow_from, "2/s", before.cors)
    assert changed_rules(before, {"allow_from": [], "rate": "", "cors": {}})[0] == UNSAID


def test_what_is_said_wins_over_the_settings() -> None:
    defaults = CallerRules(("192.0.2.1",), "1/s", CorsRule(("*",)))
    assert UNSAID.over(defaults) == defaults
    open_to_all, _ = read_rules({"allow_from": "any", "rate": "unlimited", "cors": "none"})
    assert Guard.make("e", open_to_all.over(defaults), Buckets()) is None
    assert Guard.make("e", UNSAID, Buckets()) is None
