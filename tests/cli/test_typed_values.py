"""What is typed for settings becomes values of their types, or is refused with all that is wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.cli.typed_values import Assignments, read_assignments, shown_secrets
from endpointd.endpoints.errors import EndpointInvalid
from endpointd.endpoints.views import SettingView
from endpointd.errors import UsageError


def setting(name: str, kind: str) -> SettingView:
    return SettingView(name, kind, required=False, default=None, options=(), scope=None, multiple=False)


SETTINGS = [
    setting("text", "text-input"),
    setting("token", "secret-input"),
    setting("mode", "select"),
    setting("loud", "boolean"),
    setting("app", "app-selector"),
    setting("model", "model-selector"),
    setting("any", "any"),
]
MODEL = {"provider": "openai", "model": "gpt", "model_type": "llm"}


def read(*values: str, files: tuple[str, ...] = (), removed: tuple[str, ...] = ()) -> dict[str, object]:
    return read_assignments(Assignments(values, files, removed), SETTINGS, lambda path: f"the text of {path}")


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
        ('app={"app_id": "x"}', {"app_id": "x"}),
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
    with pytest.raises(EndpointInvalid) as caught:
        read(f"model={text}")
    assert [(fault.key, fault.code) for fault in caught.value.faults] == [("settings.model", "value_type")]


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


@pytest.mark.parametrize("word", ["hunter2", "=hunter2"])
def test_a_word_without_a_key_is_not_repeated(word: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(word)
    assert caught.value.code == "assignment_invalid"
    assert "hunter2" not in str(caught.value)


def test_a_setting_has_one_value() -> None:
    for given_twice in ({"files": ("text=x",)}, {"removed": ("text",)}):
        with pytest.raises(UsageError, match="text"):
            read("text=a", **given_twice)
    with pytest.raises(UsageError, match="text"):
        read("text=a", "text=a")


def test_secrets_on_the_command_line_are_noticed() -> None:
    assert shown_secrets(Assignments(["token=x", "text=y"], ["token=path"]), SETTINGS) == ["token"]
    assert shown_secrets(Assignments(["text=y"], ["token=path"]), SETTINGS) == []
