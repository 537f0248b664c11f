"""Checking values for settings: every rule, all faults at once, nothing given is repeated."""

from typing import Any

import pytest

from endpointd.manifest.model import Option, Setting, SettingType
from endpointd.manifest.values import MAX_VALUES, check_values, fill_defaults

MODEL = {"provider": "a/b/c", "model": "m", "model_type": "llm"}
OPTIONS = (Option("us"), Option("eu"))


def faults(setting: Setting, value: object) -> list[tuple[str, str]]:
    """Key and code of each fault of one value."""
    return [(fault.key, fault.code) for fault in check_values([setting], {"x": value})]


def make(kind: str, scope: str | None = None, *, required: bool = False) -> Setting:
    """A setting called x, with options if it is a select."""
    return Setting("x", SettingType(kind), options=OPTIONS if kind == "select" else (), scope=scope, required=required)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (make("text-input", required=True), ""),
        (make("text-input"), "text"),
        (make("secret-input"), "text"),
        (make("select"), "eu"),
        (make("boolean"), False),
        (make("app-selector"), {"app_id": None, "inputs": {}}),
        (make("model-selector"), MODEL),
        (make("model-selector", scope="all"), MODEL),
        (make("model-selector", scope="document"), MODEL),
        (make("model-selector", scope="llm&tool-call"), MODEL),
        (make("model-selector", scope="tts"), {**MODEL, "voice": "v"}),
        (make("model-selector", scope="rerank"), {**MODEL, "score_threshold": 0.5, "top_n": 3}),
        (make("model-selector", scope="llm & vision"), {**MODEL, "completion_params": {}}),
        *((make(kind), "anything") for kind in ("array[tools]", "tool-selector", "dataset-selector", "any")),
        *((make(kind), None) for kind in SettingType),
    ],
)
def test_a_value_that_suits_its_setting_has_no_fault(setting: Setting, value: object) -> None:
    assert faults(setting, value) == []


@pytest.mark.parametrize(
    ("setting", "value", "codes"),
    [
        (make("text-input", required=True), None, ["value_missing"]),
        (make("text-input"), 5, ["value_type"]),
        (make("secret-input"), ["a"], ["value_type"]),
        (make("select"), "mars", ["value_not_an_option"]),
        (make("select"), "US", ["value_not_an_option"]),
        (make("select"), True, ["value_type"]),
        (make("select"), {}, ["value_type"]),
        (make("boolean"), "true", ["value_type"]),
        (make("boolean"), 1, ["value_type"]),
        (make("app-selector"), "app", ["value_type"]),
        (make("app-selector"), {}, ["value_incomplete"]),
        (make("model-selector"), [], ["value_type"]),
        (make("model-selector"), {"model": "m"}, ["value_incomplete", "value_incomplete"]),
        (make("model-selector", scope="tts"), MODEL, ["value_incomplete"]),
        (make("model-selector", scope="vision"), MODEL, ["value_incomplete"]),
        (make("model-selector", scope="rerank&tts"), MODEL, ["value_incomplete"] * 3),
    ],
)
def test_a_value_that_does_not_suit_its_setting_is_a_fault(setting: Setting, value: object, codes: list[str]) -> None:
    assert faults(setting, value) == [("x", code) for code in codes]


def test_all_faults_are_found_at_once_in_the_order_of_the_settings() -> None:
    settings = [
        Setting("one", SettingType.TEXT_INPUT, required=True),
        Setting("two", SettingType.BOOLEAN),
        Setting("api_key", SettingType.SECRET_INPUT, required=True),
    ]

    found = check_values(settings, {"api_kye": "hunter2", "two": "hunter2", "zzz": 1})

    assert [(fault.key, fault.code) for fault in found] == [
        ("one", "value_missing"),
        ("two", "value_type"),
        ("api_key", "value_missing"),
        ("api_kye", "setting_unknown"),
        ("zzz", "setting_unknown"),
    ]
    assert found[3].remedy == "did you mean 'api_key'?"
    assert found[4].remedy == "use one of one, two, api_key"


def test_no_fault_repeats_a_value_that_was_given() -> None:
    settings = [make(kind) for kind in SettingType]
    for setting in settings:
        for value in ("hunter2", ["hunter2"], {"hunter2": "hunter2"}, 7777777):
            text = "".join(map(str, check_values([setting], {"x": value})))
            assert "hunter2" not in text
            assert "7777777" not in text


def test_more_values_than_the_original_takes_are_refused() -> None:
    found = check_values([], {str(n): n for n in range(MAX_VALUES + 1)})

    assert (found[0].key, found[0].code) == ("", "too_many_values")
    assert found[1].remedy == "remove it: the plugin has no settings"


def test_defaults_fill_what_is_absent_or_null_and_nothing_else() -> None:
    settings = [
        Setting("a", SettingType.TEXT_INPUT, default="A"),
        Setting("b", SettingType.TEXT_INPUT, default="B"),
        Setting("c", SettingType.BOOLEAN, default=True),
        Setting("d", SettingType.TEXT_INPUT, default="D"),
        Setting("e", SettingType.TEXT_INPUT),
    ]
    given = {"b": "", "c": False, "d": None, "other": 1}

    assert fill_defaults(settings, given) == {"a": "A", "b": "", "c": False, "d": "D", "other": 1}
    assert given == {"b": "", "c": False, "d": None, "other": 1}


def test_a_false_default_fills_too() -> None:
    assert fill_defaults([Setting("x", SettingType.BOOLEAN, default=False)], {}) == {"x": False}


def test_what_is_filled_in_shares_nothing_with_the_declaration_or_the_values() -> None:
    setting = Setting("x", SettingType.ANY, default={"list": [1]})
    given = {"y": {"list": [1]}}

    filled: dict[str, Any] = fill_defaults([setting], given)
    filled["x"]["list"].append(2)
    filled["y"]["list"].append(2)

    assert fill_defaults([setting], given) == {"x": {"list": [1]}, "y": {"list": [1]}}


@pytest.mark.parametrize(("kind", "described"), [("app-selector", "an app-selector"), ("boolean", "a boolean")])
def test_a_type_is_told_with_its_article(kind: str, described: str) -> None:
    (fault,) = check_values([make(kind)], {"x": 5})
    assert fault.message == f"the value is a number, which {described} cannot be"
