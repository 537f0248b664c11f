"""The settings a group declares: both forms, every type, every field."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from endpointd.manifest.model import I18n, Option, Plugin, Setting, SettingType
from endpointd.manifest.reading import Reading

if TYPE_CHECKING:
    from manifest.conftest import Draft


def good(reading: Reading) -> Plugin:
    """The plugin that was read; the test fails if it was refused."""
    assert reading.plugin is not None, reading.findings
    return reading.plugin


LABEL = {"en_US": "Label"}
OPTIONS = [{"value": "us", "label": {"en_US": "US"}}, {"value": "eu", "label": {"en_US": "EU"}}]


def declared(**fields: object) -> dict[str, object]:
    """A good declaration, with some fields changed."""
    return {"name": "x", "type": "text-input", "label": LABEL, **fields}


@pytest.mark.parametrize("absent", [None, [], {}])
def test_a_group_may_have_no_settings(with_settings: Callable[[object], Reading], absent: object) -> None:
    reading = with_settings(absent)

    assert reading.errors == ()
    assert good(reading).settings == ()
    assert not good(reading).needs_settings


def test_settings_may_be_left_out(draft: Draft) -> None:
    del draft.group["settings"]

    assert good(draft.read()).settings == ()


def test_a_mapping_and_a_list_declare_the_same(with_settings: Callable[[object], Reading]) -> None:
    fields = {"type": "select", "required": True, "options": OPTIONS, "default": "us", "label": LABEL}

    from_list = with_settings([{"name": "region", **fields}])
    from_mapping = with_settings({"region": fields})

    assert from_list.findings == ()
    assert [(found.key, found.code) for found in from_mapping.findings] == [("settings", "settings_not_a_list")]
    assert good(from_list).settings == good(from_mapping).settings


def test_every_field_of_a_setting_is_read(with_settings: Callable[[object], Reading]) -> None:
    reading = with_settings(
        [
            {
                "name": "region",
                "type": "select",
                "required": True,
                "default": "us",
                "options": OPTIONS,
                "multiple": True,
                "label": {"en_US": "Region", "zh_Hans": "地区"},
                "help": {"en_US": "Help"},
                "placeholder": {"en_US": "Choose"},
                "url": "https://example.com",
                "human_description": {"en_US": "ignored"},
            }
        ]
    )

    assert reading.findings == ()
    assert good(reading).settings == (
        Setting(
            name="region",
            type=SettingType.SELECT,
            required=True,
            default="us",
            options=(Option("us", I18n("US")), Option("eu", I18n("EU"))),
            multiple=True,
            label=I18n("Region", "地区"),
            help=I18n("Help"),
            placeholder=I18n("Choose"),
            url="https://example.com",
        ),
    )


@pytest.mark.parametrize(
    "kind",
    ["secret-input", "text-input", "boolean", "model-selector", "app-selector", "array[tools]"],
)
def test_each_type_that_the_original_serves_is_taken(with_settings: Callable[[object], Reading], kind: str) -> None:
    reading = with_settings([declared(type=kind)])

    assert reading.findings == ()
    assert good(reading).settings[0].type == kind


@pytest.mark.parametrize("kind", ["tool-selector", "dataset-selector", "any"])
def test_a_documented_type_that_the_original_refuses_is_taken_with_a_warning(
    with_settings: Callable[[object], Reading], kind: str
) -> None:
    reading = with_settings([declared(type=kind)])

    assert good(reading).settings[0].type == kind
    assert [(found.key, found.code) for found in reading.findings] == [("settings.x.type", "type_refused_elsewhere")]


@pytest.mark.parametrize(
    ("setting", "key", "code"),
    [
        ("text", "settings[0]", "wrong_type"),
        (None, "settings[0]", "wrong_type"),
        ({"type": "text-input", "label": LABEL}, "settings[0].name", "key_missing"),
        ({"name": 5, "type": "text-input", "label": LABEL}, "settings[0].name", "wrong_type"),
        ({"name": "n" * 1024, "type": "boolean", "label": LABEL}, f"settings.{'n' * 1024}.name", "name_length"),
        ({"name": "x", "label": LABEL}, "settings.x.type", "key_missing"),
        (declared(type="number"), "settings.x.type", "type_unknown"),
        (declared(type="secret"), "settings.x.type", "type_unknown"),
        (declared(type=["text-input"]), "settings.x.type", "wrong_type"),
        (declared(required="maybe"), "settings.x.required", "wrong_type"),
        (declared(required=[]), "settings.x.required", "wrong_type"),
        (declared(type="select"), "settings.x.options", "options_missing"),
        (declared(type="select", options=[]), "settings.x.options", "options_missing"),
        (declared(type="select", options=["us"]), "settings.x.options[0]", "wrong_type"),
        (declared(type="select", options=[{"label": LABEL}]), "settings.x.options[0].value", "key_missing"),
        (declared(type="select", options=OPTIONS, default="mars"), "settings.x.default", "default_invalid"),
        (declared(type="select", options=OPTIONS, default=["us"]), "settings.x.default", "default_invalid"),
        (declared(type="boolean", default="perhaps"), "settings.x.default", "wrong_type"),
        (declared(type="array[tools]", default=[float("inf")]), "settings.x.default", "default_invalid"),
        (declared(type="app-selector", default="app"), "settings.x.default", "default_invalid"),
        (declared(type="app-selector", default={"id": "x"}), "settings.x.default", "default_invalid"),
        (declared(type="text-input", default=["a"]), "settings.x.default", "default_invalid"),
    ],
)
def test_a_setting_that_cannot_work_is_an_error(
    with_settings: Callable[[object], Reading], setting: object, key: str, code: str
) -> None:
    reading = with_settings([setting])

    assert reading.plugin is None
    assert (key, code) in [(error.key, error.code) for error in reading.errors]
    assert {error.file for error in reading.errors} == {"group/duck.yaml"}


def test_a_select_without_options_is_one_error_whatever_its_default(
    with_settings: Callable[[object], Reading],
) -> None:
    reading = with_settings([declared(type="select", default="us")])

    assert [error.code for error in reading.errors] == ["options_missing"]


@pytest.mark.parametrize(
    ("fields", "key", "code"),
    [
        ({"label": None}, "label", "key_missing"),
        ({"label": "Label"}, "label", "text_plain"),
        ({"label": {"zh_Hans": "标签"}}, "label.en_US", "key_missing"),
        ({"label": {"en_US": "x" * 1024}}, "label.en_US", "text_too_long"),
        ({"label": {"en_US": "a", "ja_Jp": "b"}}, "label.ja_Jp", "key_misspelt"),
        ({"helper": {"en_US": "Help"}}, "helper", "key_misspelt"),
        ({"requried": True}, "requried", "key_misspelt"),
        ({"required": "yes"}, "required", "wrong_type"),
        ({"default": 3600}, "default", "wrong_type"),
        ({"url": 5}, "url", "wrong_type"),
        ({"scope": "chat"}, "scope", "scope_unused"),
        ({"type": "app-selector", "scope": "chats"}, "scope", "scope_unknown"),
        ({"type": "model-selector", "scope": "llm&visions"}, "scope", "scope_unknown"),
        ({"type": "boolean", "default": "true"}, "default", "wrong_type"),
        ({"type": "select", "options": [{"value": 1, "label": LABEL}]}, "options[0].value", "wrong_type"),
        ({"type": "select", "options": [{"value": "a"}]}, "options[0].label", "key_missing"),
        ({"type": "select", "options": [{"value": "a" * 128, "label": LABEL}]}, "options[0].value", "text_too_long"),
        (
            {"type": "select", "options": [{"value": str(n), "label": LABEL} for n in range(128)]},
            "options",
            "options_too_many",
        ),
    ],
)
def test_what_the_author_should_know_is_a_warning(
    with_settings: Callable[[object], Reading], fields: dict[str, Any], key: str, code: str
) -> None:
    reading = with_settings([declared(**fields)])

    assert reading.errors == ()
    assert [(found.key, found.code) for found in reading.warnings] == [(f"settings.x.{key}", code)]


def test_a_language_that_no_form_shows_is_no_misspelling(with_settings: Callable[[object], Reading]) -> None:
    reading = with_settings([declared(label={"en_US": "a", "zh_Hant": "標籤"})])

    assert reading.findings == ()


@pytest.mark.parametrize(
    ("kind", "scope"),
    [
        *(("app-selector", scope) for scope in ("all", "chat", "workflow", "completion")),
        *(("model-selector", scope) for scope in ("all", "llm", "text-embedding", "rerank", "tts", "speech2text")),
        *(("model-selector", scope) for scope in ("moderation", "vision", "document", "llm&tool-call")),
    ],
)
def test_each_known_scope_is_taken(with_settings: Callable[[object], Reading], kind: str, scope: str) -> None:
    reading = with_settings([declared(type=kind, scope=scope)])

    assert reading.findings == ()
    assert good(reading).settings[0].scope == scope


@pytest.mark.parametrize(
    ("fields", "default"),
    [
        ({"default": 3600}, "3600"),
        ({"default": ""}, ""),
        ({"default": "  "}, "  "),
        ({"type": "boolean", "default": "yes"}, True),
        ({"type": "boolean", "default": False}, False),
        ({"type": "app-selector", "default": {"app_id": "a"}}, {"app_id": "a"}),
        ({"type": "array[tools]", "default": [{"a": 1}]}, [{"a": 1}]),
        ({"default": None}, None),
    ],
)
def test_a_default_is_of_the_type_of_its_setting(
    with_settings: Callable[[object], Reading], fields: dict[str, Any], default: object
) -> None:
    value = good(with_settings([declared(**fields)])).settings[0].default

    assert value == default
    assert type(value) is type(default)


def test_the_documented_helper_is_taken_for_help(with_settings: Callable[[object], Reading]) -> None:
    assert good(with_settings([declared(helper={"en_US": "Help"})])).settings[0].help == I18n("Help")


def test_help_wins_over_helper(with_settings: Callable[[object], Reading]) -> None:
    reading = with_settings([declared(helper={"en_US": "no"}, help={"en_US": "yes"})])

    assert good(reading).settings[0].help == I18n("yes")


def test_a_name_inside_a_mapping_does_not_rename(with_settings: Callable[[object], Reading]) -> None:
    reading = with_settings({"x": declared(name="y")})

    assert good(reading).settings[0].name == "x"
    assert ("settings.x.name", "name_ignored") in [(found.key, found.code) for found in reading.findings]


def test_names_that_yaml_takes_for_booleans_stay_as_they_are_written(draft: Draft) -> None:
    text = "settings:\n  on: {type: boolean, label: {en_US: On}}\nendpoints: [endpoints/duck.yaml]\n"

    assert [s.name for s in good(draft.read({"group/duck.yaml": text})).settings] == ["on"]


def test_the_same_name_twice_in_a_list_is_an_error_unless_declared_alike(
    with_settings: Callable[[object], Reading],
) -> None:
    alike = with_settings([declared(), declared()])
    differing = with_settings([declared(), declared(required=True)])

    assert [setting.name for setting in good(alike).settings] == ["x"]
    assert [(error.key, error.code) for error in differing.errors] == [("settings.x", "setting_twice")]


def test_a_setting_knows_where_it_is_written(draft: Draft) -> None:
    text = "endpoints: [endpoints/duck.yaml]\nsettings:\n  a:\n    type: boolean\n  b:\n    type: any\n"

    settings = good(draft.read({"group/duck.yaml": text})).settings

    assert [(s.file, s.line) for s in settings] == [("group/duck.yaml", 3), ("group/duck.yaml", 5)]


@pytest.mark.parametrize("settings", ["text", 5, True])
def test_settings_of_another_type_are_an_error(with_settings: Callable[[object], Reading], settings: object) -> None:
    assert [(e.key, e.code) for e in with_settings(settings).errors] == [("settings", "wrong_type")]
