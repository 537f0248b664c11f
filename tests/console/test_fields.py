"""Settings as fields of a form, and what a submitted form means."""

from collections.abc import Mapping
from typing import Any

import pytest

from endpointd.console.fields import Field, fields, read
from endpointd.endpoints.views import OptionView, SettingView
from endpointd.manifest.values import Fault
from endpointd.sealing.masking import MASK

ENGLISH = ("en_US",)


def setting(name: str, kind: str, **more: Any) -> SettingView:  # noqa: ANN401
    declared: dict[str, Any] = {"required": False, "default": None, "options": (), "scope": None, "multiple": False}
    return SettingView(name, kind, **{**declared, **more})


SECRET = setting("token", "secret-input", label={"en_US": "Token", "ja_JP": "トークン"})
REQUIRED_SECRET = setting("token", "secret-input", required=True)
TEXT = setting("note", "text-input")
DEFAULTED = setting("note", "text-input", default="Hello")
SELECT = setting("region", "select", options=(OptionView("eu", {"en_US": "Europe"}), OptionView("us", {"en_US": "US"})))
BOOLEAN = setting("again", "boolean", default=True)
APP = setting("app", "app-selector")
MODEL = setting("model", "model-selector")
TOOLS = setting("tools", "array[tools]")


def drawn(one: SettingView, value: Any = None, **more: Any) -> Field:  # noqa: ANN401
    return fields([one], {one.name: value}, ENGLISH, **more)[0]


def given(one: SettingView, entered: Mapping[str, str], value: Any = None) -> Any:  # noqa: ANN401
    """What a form with these inputs gives for the setting; "kept" when it stays as it is."""
    submitted = {f"settings.{name}": text for name, text in entered.items()} | {f"settings.{one.name}.shown": "1"}
    values, faults = read([one], {one.name: value}, submitted)
    assert not faults
    return values.get(one.name, "kept")


# Drawing


def test_a_field_has_the_texts_of_the_setting_in_the_languages_that_are_wanted() -> None:
    field = fields([SECRET], None, ("ja_JP", "en_US"))[0]
    assert (str(field.label), field.label.lang) == ("トークン", "ja")
    assert fields([SECRET], None, ("pt_BR", "en_US"))[0].label.lang == "en"
    assert str(fields([TEXT], None, ENGLISH)[0].label) == "note"


@pytest.mark.parametrize("value", [MASK, "a secret by mistake", None])
def test_a_secret_is_never_drawn(value: object) -> None:
    assert drawn(SECRET, value).value == ""
    assert drawn(SECRET, value, submitted={"settings.token": "just entered"}).value == ""
    assert drawn(SECRET, value).stored == (value == MASK)


def test_defaults_are_drawn_where_there_is_no_value() -> None:
    assert drawn(DEFAULTED).value == "Hello"
    assert drawn(DEFAULTED, "").value == ""
    assert drawn(BOOLEAN).value == "true"
    assert drawn(BOOLEAN, value=False).value == ""


def test_what_was_entered_is_drawn_again_when_it_was_refused() -> None:
    fault = Fault("settings.note", "value_type", "no", "yes")
    field = drawn(DEFAULTED, "before", submitted={"settings.note": "entered"}, faults=[fault])
    assert (field.value, field.faults) == ("entered", (fault,))
    assert drawn(BOOLEAN, submitted={}).value == ""


def test_a_text_with_lines_gets_an_input_that_keeps_them() -> None:
    assert drawn(TEXT, "a\nb").kind == "lines"
    assert drawn(TEXT, "a").kind == "text"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//elsewhere", "docs"])
def test_links_lead_to_web_pages_alone(url: str) -> None:
    assert drawn(setting("note", "text-input", url=url)).url is None
    assert drawn(setting("note", "text-input", url="https://docs.example")).url == "https://docs.example"


def test_options_have_their_labels_and_the_chosen_one() -> None:
    choices = drawn(SELECT, "us").choices
    assert [(one.value, str(one.label), one.chosen) for one in choices] == [("eu", "Europe", False), ("us", "US", True)]


# Reading


@pytest.mark.parametrize(
    ("entered", "stored", "becomes"),
    [
        ({"token": "new"}, MASK, "new"),
        ({"token": "new"}, None, "new"),
        # The value before stays, which nobody knows here.
        ({"token": ""}, MASK, "kept"),
        ({"token": "", "token.remove": "1"}, MASK, None),
        ({"token": "new", "token.remove": "1"}, MASK, "new"),
        ({"token": ""}, None, None),
        ({"token": "two\r\nlines"}, None, "two\nlines"),
        # Blanks may be part of it.
        ({"token": " x "}, None, " x "),
    ],
)
def test_secrets(entered: dict[str, str], stored: str | None, becomes: object) -> None:
    assert given(SECRET, entered, stored) == becomes
    assert given(REQUIRED_SECRET, entered, stored) == becomes


def test_texts() -> None:
    assert given(TEXT, {"note": "x"}) == "x"
    assert given(TEXT, {"note": ""}, "before") is None
    # To empty one that has a default is to say so.
    assert given(DEFAULTED, {"note": ""}, "before") == ""


@pytest.mark.parametrize("stored", ["a\r\nb", "a\rb", "\n\na\n", "x"])
def test_a_text_that_nobody_touches_stays_as_it_is(stored: str) -> None:
    shown = drawn(TEXT, stored).value.replace("\r\n", "\n").replace("\r", "\n")
    assert given(TEXT, {"note": shown.replace("\n", "\r\n")}, stored) == "kept"
    assert drawn(TEXT, stored).kind == ("text" if stored == "x" else "lines")


def test_choices_and_switches() -> None:
    assert given(SELECT, {"region": "eu"}) == "eu"
    assert given(SELECT, {"region": ""}) is None
    assert given(BOOLEAN, {"again": "true"}) is True
    assert given(BOOLEAN, {}) is False


def test_an_app_keeps_what_else_was_stored_with_it() -> None:
    assert given(APP, {"app": " a1 "}, {"app_id": "a0", "inputs": {"x": 1}}) == {"app_id": "a1", "inputs": {"x": 1}}
    assert given(APP, {"app": ""}, {"app_id": "a0"}) is None


def test_a_model_has_its_parts_and_what_is_written_as_json() -> None:
    entered = {"model.provider": "a/b/c", "model.model": "m", "model.model_type": "llm", "model.more": '{"voice": "x"}'}
    assert given(MODEL, entered) == {"provider": "a/b/c", "model": "m", "model_type": "llm", "voice": "x"}
    # The kind is filled in already.
    assert given(MODEL, {"model.model_type": "llm"}) is None
    field = drawn(MODEL, {"provider": "a", "model": "m", "model_type": "tts", "voice": "x"})
    assert field.parts is not None
    assert field.parts["more"] == '{\n  "voice": "x"\n}'


@pytest.mark.parametrize(
    ("scope", "kind"),
    [(None, "llm"), ("all", "llm"), ("tts", "tts"), ("llm&vision", "llm"), ("tool-call & rerank", "rerank")],
)
def test_the_kind_of_a_model_is_what_the_plugin_wants_one_for(scope: str | None, kind: str) -> None:
    wanted = setting("model", "model-selector", scope=scope)
    for field in (drawn(wanted), drawn(wanted, submitted={})):
        assert field.parts is not None
        assert field.parts["model_type"] == kind
    stored = drawn(wanted, {"provider": "a", "model": "m", "model_type": "moderation"})
    assert stored.parts is not None
    assert stored.parts["model_type"] == "moderation"


def test_other_types_are_json() -> None:
    assert given(TOOLS, {"tools": '[{"a": 1}]'}) == [{"a": 1}]
    assert given(TOOLS, {"tools": " "}) is None
    assert drawn(TOOLS, [1]).value == "[\n  1\n]"


@pytest.mark.parametrize("text", ["{}}", "[" * 100_000, "nope"])
def test_what_is_no_json_is_a_fault_of_its_field_and_is_not_repeated(text: str) -> None:
    values, faults = read([TOOLS], None, {"settings.tools": text, "settings.tools.shown": "1"})
    assert values == {}
    assert [(fault.key, fault.code) for fault in faults] == [("settings.tools", "value_not_json")]
    assert text not in str(faults[0])


def test_a_form_that_is_older_than_the_plugin_changes_only_what_it_had() -> None:
    assert read([TEXT, BOOLEAN], {"note": "x", "again": True}, {}) == ({}, ())
