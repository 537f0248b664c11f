"""What is typed for settings becomes values of their types, or is refused with all that is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.cli.typed_values import Assignments, read_assignments, shown_secrets
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.views import OptionView, SettingView
from endpointd.errors import UsageError


def setting(name: str, kind: str, *, required: bool = False, options: tuple[str, ...] = ()) -> SettingView:
    views = tuple(OptionView(value, {"en_US": value}) for value in options)
    return SettingView(name, kind, required=required, default=None, options=views, scope=None, multiple=False)


SETTINGS = [
    setting("text", "text-input"),
    setting("token", "secret-input", required=True),
    setting("mode", "select", options=("calm", "loud")),
    setting("loud", "boolean"),
    setting("app", "app-selector"),
    setting("model", "model-selector"),
    setting("tools", "array[tools]"),
    setting("any", "any"),
]
MODEL = {"provider": "openai", "model": "gpt", "model_type": "llm"}


def read(
    *values: str, files: tuple[str, ...] = (), removed: tuple[str, ...] = (), is_whole: bool = False
) -> dict[str, object]:
    given = Assignments(values, files, removed)
    return read_assignments(given, SETTINGS, lambda path: f"the text of {path}", is_whole=is_whole)


def refused(*values: str, is_whole: bool = False) -> list[tuple[str, str]]:
    """The key and the code of each fault."""
    with pytest.raises(EndpointInvalid) as caught:
        read(*values, is_whole=is_whole)
    return [(fault.key, fault.code) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("text=a=b", "a=b"),
        ("text=", ""),
        ("text=true", "true"),
        ("token=123", "123"),
        ("loud=TRUE", True),
        ("loud=off", False),
        ("app=abc-123", {"app_id": "abc-123"}),
        ("app=42", {"app_id": "42"}),
        ("app=true", {"app_id": "true"}),
        ("app=[1]", {"app_id": "[1]"}),
        ('app= {"app_id": "x"}', {"app_id": "x"}),
        (f"model={json.dumps(MODEL)}", MODEL),
        ("any=5", 5),
        ("any=plain", "plain"),
    ],
)
def test_a_text_becomes_a_value_of_the_settings_type(word: str, value: object) -> None:
    assert list(read(word).values()) == [value]


@given(st.text())
def test_a_text_stays_as_it_is(text: str) -> None:
    assert read(f"text={text}", f"token={text}") == {"text": text, "token": text}


def test_files_are_read_and_what_is_to_be_removed_is_null() -> None:
    assert read("text=a", files=("token=key",), removed=("loud",)) == {
        "text": "a",
        "token": "the text of key",
        "loud": None,
    }


@pytest.mark.parametrize("text", ["NaN", "-Infinity", '{"provider": NaN}', "[" * 100_000])
def test_what_json_has_not_is_told_and_not_sent(text: str) -> None:
    assert read(f"any={text}") == {"any": text}
    assert refused(f"model={text}") == [("settings.model", "value_type")]


def test_all_that_does_not_fit_is_told_at_once_without_a_value() -> None:
    with pytest.raises(EndpointInvalid) as caught:
        read("loud=maybe-secret", "model=gpt-secret", "tokn=secret")
    assert [(fault.key, fault.code) for fault in caught.value.faults] == [
        ("settings.loud", "value_type"),
        ("settings.model", "value_type"),
        ("settings.tokn", "setting_unknown"),
    ]
    assert caught.value.faults[2].remedy == "did you mean 'token'?"
    assert "secret" not in str(caught.value)


WRONG = ["mode=wild", 'app={"id": 1}', f"model={json.dumps({**MODEL, 'model': None})[:-3]}", "tools=abc", "toke=x"]


def test_what_cannot_be_read_hides_nothing_else_that_is_wrong() -> None:
    faults = [
        ("settings.mode", "value_not_an_option"),
        ("settings.app", "value_incomplete"),
        ("settings.model", "value_type"),
        ("settings.tools", "value_type"),
        ("settings.toke", "setting_unknown"),
    ]
    assert refused(*WRONG) == faults
    assert refused(*WRONG, is_whole=True) == [("settings.token", "value_missing"), *faults]


@pytest.mark.parametrize(("name", "key"), [("app", "app_id"), ("model", "model_type"), ("tools", "tool_name")])
def test_what_cannot_be_read_is_told_with_json_of_its_own_type(name: str, key: str) -> None:
    with pytest.raises(EndpointInvalid) as caught:
        read(f"{name}={{")
    (fault,) = caught.value.faults
    example = json.loads(fault.remedy.partition("'")[2].removesuffix("'"))
    assert key in (example[0] if name == "tools" else example)


@pytest.mark.parametrize("word", ["hunter2", "=hunter2"])
def test_a_word_without_a_key_is_not_repeated(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(word)
    assert caught.value.code == "assignment_invalid"
    assert "hunter2" not in str(caught.value)


def test_a_setting_has_one_value() -> None:
    with pytest.raises(UsageError, match="text"):
        read("text=a", files=("text=x",))
    with pytest.raises(UsageError, match="text"):
        read("text=a", removed=("text",))
    with pytest.raises(UsageError, match="text"):
        read("text=a", "text=a")


def test_secrets_on_the_command_line_are_noticed() -> None:
    assert shown_secrets(Assignments(["token=x", "text=y"], ["token=path"]), SETTINGS) == ["token"]
    assert shown_secrets(Assignments(["text=y"], ["token=path"]), SETTINGS) == []
