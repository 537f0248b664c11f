"""Values of settings: what the plugin is given, what is wrong with them, and which are secret."""

import math
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.endpoints import Endpoint
from endpointd.endpoints.book import Book
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.values import (
    LARGEST,
    LONGEST_KEY,
    faults_of,
    given_values,
    is_same,
    masked_by_mistake,
    merged,
    newly_given,
    secrets_in,
    shown_values,
)
from endpointd.endpoints.views import settings_of, view
from endpointd.manifest.model import Group, Plugin, Setting, SettingType
from endpointd.manifest.values import DEEPEST, MAX_VALUES
from endpointd.sealing.masking import MASK
from endpointd.store.naming import new_hook_id, new_id
from endpointd.store.records import EndpointRecord
from endpointd_wire.frames import pack_value, unpack_value
from support.teller import SECRET, SETTINGS, TELLER


def nested(levels: int) -> Any:  # noqa: ANN401
    value: Any = 0
    for level in range(levels):
        value = [value] if level % 2 else {"x": value}
    return value


def told(plugin: Plugin, values: dict[str, Any]) -> list[tuple[str, str]]:
    faults = faults_of(plugin, values, values)
    assert all(fault.message and fault.remedy for fault in faults)
    return [(fault.key, fault.code) for fault in faults]


def record(settings: dict[str, Any], secrets: frozenset[str] = frozenset({"token"})) -> EndpointRecord:
    return EndpointRecord(new_id(), new_hook_id(), TELLER, "One", settings, secrets, True, "operator", 1.0, 1.0)


# Faults


@pytest.mark.parametrize(
    "value", ["\ud800", "a\udfffb", math.nan, math.inf, [10**5000], b"bytes", {"x": "\ud800"}, {"\ud800": 1}, [{1, 2}]]
)
def test_what_cannot_be_sent_to_a_worker_is_a_fault_of_its_setting(plugin: Plugin, value: object) -> None:
    found = told(plugin, {"token": "x", "tools": value, "loud": 1})
    assert found == [("settings.loud", "value_type"), ("settings.tools", "value_unsendable")]


@pytest.mark.parametrize("value", ["\0", "\uffff", 2**64, -(10**40), 1.5, {"": None}, "x" * 200_000])
def test_what_can_be_sent_arrives(plugin: Plugin, value: object) -> None:
    assert told(plugin, {"token": "x", "tools": value}) == []
    assert unpack_value(pack_value(given_values(plugin, {"tools": value})))["tools"] == value


def test_what_is_nested_too_deeply_is_a_fault_of_its_setting(plugin: Plugin) -> None:
    assert told(plugin, {"token": "x", "tools": nested(DEEPEST)}) == []
    for levels in (DEEPEST + 1, 500, 100_000):
        found = told(plugin, {"token": nested(levels), "loud": nested(levels), "tools": nested(levels), "region": "x"})
        assert found == [
            ("settings.token", "value_too_deep"),
            ("settings.region", "value_not_an_option"),
            ("settings.loud", "value_too_deep"),
            ("settings.tools", "value_too_deep"),
        ]


def test_all_values_together_may_have_a_size_that_tells_nothing_of_a_secret(plugin: Plugin) -> None:
    assert told(plugin, {"token": "x" * (LARGEST - 1000)}) == []
    found = {
        str(faults_of(plugin, {"token": "x" * size, "tools": "y" * LARGEST, "loud": 1})) for size in (1, 1000, LARGEST)
    }
    assert len(found) == 1
    assert told(plugin, {"token": "x" * LARGEST, "loud": 1}) == [
        ("settings.loud", "value_type"),
        ("settings", "values_too_large"),
    ]


def test_very_many_or_very_long_keys_cost_little_and_are_not_all_repeated(plugin: Plugin) -> None:
    values = {f"tokem{number}": SECRET for number in range(1_000_000)}
    began = time.process_time()
    faults = faults_of(plugin, values, values)
    error = EndpointInvalid(faults)
    assert time.process_time() - began < 5
    assert [fault.code for fault in faults[:2]] == ["too_many_values", "value_missing"]
    assert len(faults) == 2 + MAX_VALUES
    assert len(str(error)) < 20_000
    (_, fault) = faults_of(plugin, {"x" * 1_000_000: SECRET}, ["x" * 1_000_000])
    assert len(fault.key) == LONGEST_KEY + len("settings.")
    assert len(f"{fault}") < 1000


def test_defaults_do_not_count_as_values_that_are_given() -> None:
    settings = tuple(Setting(f"s{number}", SettingType.TEXT_INPUT, True, "x") for number in range(MAX_VALUES + 6))
    large = Plugin("large", "1.0.0", (Group("g.yaml", settings),))
    assert told(large, {}) == []
    assert told(large, {f"s{number}": "y" for number in range(MAX_VALUES)}) == []
    assert told(large, {f"s{number}": "y" for number in range(MAX_VALUES + 1)}) == [("settings", "too_many_values")]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(categories=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*SETTINGS, "tokn", "regoin"]) | st.text(st.characters(categories=None), max_size=10)
GIVEN = st.dictionaries(NAMES, VALUES, max_size=8)


@given(GIVEN)
def test_any_values_are_either_faulty_or_can_be_given(plugin: Plugin, values: dict[str, Any]) -> None:
    faults = faults_of(plugin, values, values)
    if not faults:
        unpacked = unpack_value(pack_value(given_values(plugin, values)))
        assert set(unpacked) <= set(SETTINGS)
        assert is_same(unpacked, given_values(plugin, values))
    assert str(EndpointInvalid(faults)).replace("\n", "").isprintable()


@given(GIVEN, st.randoms(use_true_random=False))
def test_the_order_of_what_is_given_does_not_matter_to_what_is_said(
    plugin: Plugin,
    values: dict[str, Any],
    chance: Any,  # noqa: ANN401
) -> None:
    names = list(values)
    chance.shuffle(names)
    shuffled = {name: values[name] for name in names}
    first, second = faults_of(plugin, values, values), faults_of(plugin, shuffled, shuffled)
    declared = [fault for fault in first if fault.code != "setting_unknown"]
    assert [fault for fault in second if fault.code != "setting_unknown"] == declared
    assert set(second) == set(first)
    assert faults_of(plugin, values, values) == first


SECRETS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=3).map(lambda text: f"hunter2{text}")


@given(st.dictionaries(NAMES, st.recursive(SECRETS, st.lists, max_leaves=3), max_size=8))
def test_no_fault_has_a_value_in_it(plugin: Plugin, values: dict[str, Any]) -> None:
    faults = [*faults_of(plugin, values, values), *masked_by_mistake(values, ["token"])]
    assert "hunter2" not in f"{faults}{EndpointInvalid(faults)}{EndpointInvalid(faults)!r}"


# Secrets


@given(
    st.dictionaries(st.sampled_from("abcd"), st.just(SECRET) | VALUES),
    st.dictionaries(st.sampled_from("abcde"), VALUES),
)
def test_a_change_keeps_what_it_does_not_touch(current: dict[str, Any], changes: dict[str, Any]) -> None:
    current = {name: value for name, value in current.items() if value is not None}
    after = merged(current, changes, secrets={"a", "b", "e"})
    for name in "abcde":
        if name not in changes:
            assert (name in after) == (name in current)
            assert after.get(name) is current.get(name)
        elif changes[name] is None:
            assert name not in after
        else:
            assert after[name] is changes[name]
    masks = dict.fromkeys(current, MASK)
    kept = merged(current, masks, secrets={"a", "b", "e"})
    assert {name: kept[name] is current[name] for name in kept if name in "abe"} == dict.fromkeys(
        (name for name in current if name in "abe"), True
    )
    assert merged(after, {}, set()) == after or any(value != value for value in after.values())


def test_what_is_newly_given_is_what_somebody_has_to_answer_for() -> None:
    before = {"kept": 1, "removed": 1, "changed": 1, "other": 1}
    after = {"kept": 1, "changed": True, "other": 1, "new": 1}
    submitted = ["new", "kept", "changed", "removed", "never"]
    assert newly_given(before, submitted, after) == ["new", "changed", "never"]


def test_every_secret_is_shown_as_the_same_mask(plugin: Plugin) -> None:
    for secret in ("", "x", SECRET, "\N{DUCK}" * 1000):
        shown = shown_values(
            record({"token": secret, "greeting": "Hi", "old": "o"}, frozenset({"token", "old"})), plugin
        )
        assert (shown["token"], shown["greeting"], shown["old"], shown["second"]) == (MASK, "Hi", MASK, None)
    # Also while no plugin is there to say which are.
    assert shown_values(record({"token": SECRET}), None) == {"token": MASK}
    assert shown_values(record({"token": SECRET}, frozenset()), plugin)["token"] == MASK


def test_what_was_secret_is_sealed_as_long_as_it_has_the_same_value(plugin: Plugin) -> None:
    before = record({"token": SECRET, "greeting": "was secret"}, frozenset({"token", "greeting"}))
    assert secrets_in(plugin, {"token": "x", "greeting": "was secret"}, before) == {"token", "greeting"}
    assert secrets_in(plugin, {"token": "x", "greeting": "new"}, before) == {"token"}
    assert secrets_in(plugin, {"greeting": "x"}) == frozenset()


def test_nothing_that_holds_a_secret_shows_it(plugin: Plugin) -> None:
    made = record({"token": SECRET})
    book = Book()
    book.put(made)
    (endpoint,) = book.endpoints_of(plugin)
    assert isinstance(endpoint, Endpoint)
    shown = view(made, plugin, "http://here", book.faults(made, plugin))
    text = f"{made!r}{endpoint!r}{shown!r}{shown.as_dict()}{vars(book)}"
    assert SECRET not in text
    # What a plugin declares is known to whoever has its folder; there is no need to show it to others.
    assert "a-secret-default" not in f"{shown}{settings_of(plugin)}"


# How a form sees them


def test_a_plugin_tells_all_that_a_form_needs(plugin: Plugin) -> None:
    told = {one.name: one for one in settings_of(plugin)}
    assert list(told) == list(SETTINGS)
    assert (told["token"].type, told["token"].required, told["token"].default) == ("secret-input", True, None)
    assert told["second"].default == MASK
    assert [(option.value, option.label) for option in told["region"].options] == [
        ("us", {"en_US": "us"}),
        ("eu", {"en_US": "eu"}),
    ]
    assert (told["model"].scope, told["region"].default) == ("llm", "us")


# The book


def test_the_book_finds_endpoints_by_all_that_they_go_by(plugin: Plugin) -> None:
    book = Book()
    first, second = record({"token": "x"}), replace(record({"token": "y"}), created_at=2.0)
    book.change([], [second, first])
    assert book.all() == book.of(TELLER) == [first, second]
    assert book.at(first.hook_id) == first
    moved = replace(first, hook_id=second.hook_id)
    book.change([], [moved, replace(second, hook_id=first.hook_id)])
    assert [record.hook_id for record in book.all()] == [second.hook_id, first.hook_id]
    assert book.at(second.hook_id) == moved
    assert [one.hook_id for one in book.endpoints_of(plugin)] == [second.hook_id, first.hook_id]
    book.change([second.id], [replace(first, hook_id=first.hook_id)])
    assert (book.all(), book.at(second.hook_id)) == ([first], None)
    assert book.replace_all([first]) == set()
    assert book.replace_all([replace(first, plugin="other/one")]) == {TELLER, "other/one"}
    assert book.of(TELLER) == []


def test_the_book_asks_again_when_the_plugin_or_the_endpoint_is_another_one(plugin: Plugin) -> None:
    book = Book()
    made = record({"token": "x"})
    book.put(made)
    assert [unpack_value(one.settings)["token"] for one in book.endpoints_of(plugin)] == ["x"]
    book.put(replace(made, settings={"token": "y"}))
    assert [unpack_value(one.settings)["token"] for one in book.endpoints_of(plugin)] == ["y"]
    assert [fault.key for fault in book.faults(replace(made, settings={}), plugin)] == ["settings.token"]
    stricter = Setting("zone", SettingType.TEXT_INPUT, required=True)
    newer = replace(plugin, groups=(*plugin.groups, Group("more.yaml", (stricter,))))
    assert book.endpoints_of(newer) == []
    assert [fault.key for fault in book.faults(book.get(made.id), newer)] == ["settings.zone"]
    assert len(book.endpoints_of(plugin)) == 1
    assert [one.key for _, faults in book.incomplete(newer) for one in faults] == ["settings.zone"]
    assert book.incomplete(plugin) == []


def test_a_refusal_is_a_new_object_each_time(plugin: Plugin) -> None:
    book = Book()
    made = replace(record({}), enabled=True)
    book.put(made)
    first, second = (book.refusal(made.hook_id, plugin) for _ in range(2))
    assert (first is not None, first is second) == (True, False)
