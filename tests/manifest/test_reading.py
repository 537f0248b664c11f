"""The whole plugin: every field of the manifest, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from endpointd.manifest.files import FileProblem, Kind
from endpointd.manifest.model import Group, I18n, Interface, Permissions, Plugin, Setting, SettingType
from endpointd.manifest.reading import MAX_GROUPS, Reading, read_plugin

if TYPE_CHECKING:
    from manifest.conftest import Draft


def good(reading: Reading) -> Plugin:
    """The plugin that was read; the test fails if it was refused."""
    assert reading.plugin is not None, reading.findings
    return reading.plugin


GONE = object()


def put(document: dict[str, Any], path: str, value: object) -> None:
    """Set, or remove, what a dotted path leads to."""
    *parents, last = path.split(".")
    for parent in parents:
        document = document[parent]
    if value is GONE:
        del document[last]
    else:
        document[last] = value


def test_a_complete_plugin_is_read_whole_and_without_findings(draft: Draft) -> None:
    reading = draft.read()

    assert reading.findings == ()
    plugin = good(reading)
    assert plugin.id == "someone/duck"
    assert plugin.identity == "someone/duck:0.1.0"
    assert plugin.label == plugin.description == I18n("Duck", "鸭子", "アヒル", "Pato")
    assert (plugin.icon, plugin.icon_dark) == ("icon.svg", "icon-dark.svg")
    assert plugin.created_at == "2026-01-31T12:00:00Z"
    assert plugin.tags == ("utilities", "other")
    assert (plugin.privacy, plugin.repo) == ("PRIVACY.md", "https://example.com/duck")
    assert plugin.memory == 268435456
    assert plugin.permissions == Permissions(
        tool=True, models=frozenset({"llm"}), endpoint=True, app=True, storage=True, storage_size=2048
    )
    assert (plugin.runner_version, plugin.minimum_dify_version) == ("3.12", "0.3.0")
    assert plugin.groups == (
        Group(
            "group/duck.yaml",
            (Setting("api_key", SettingType.SECRET_INPUT, required=True, label=plugin.label),),
            (Interface("/duck/<app_id>", "GET", "endpoints/duck.py", False, "endpoints/duck.yaml", 1),),
        ),
    )
    assert plugin.sources == ("endpoints/duck.py",)
    assert plugin.needs_settings


def test_without_an_author_the_name_is_the_id(draft: Draft) -> None:
    draft.manifest["author"] = None

    plugin = good(draft.read())

    assert (plugin.id, plugin.identity) == ("duck", "duck:0.1.0")


ERRORS = [
    ("version", GONE, "key_missing"),
    ("version", None, "key_missing"),
    ("version", 1.0, "wrong_type"),
    ("version", " ", "text_blank"),
    ("version", "banana", "version_invalid"),
    ("version", "1" * 5000, "version_invalid"),
    ("type", "bundle", "type_unknown"),
    ("type", ["plugin"], "wrong_type"),
    ("author", "no spaces", "author_invalid"),
    ("author", "x" * 65, "author_invalid"),
    ("author", {"name": "x"}, "wrong_type"),
    ("name", GONE, "key_missing"),
    ("name", 12, "wrong_type"),
    ("name", "Duck", "name_invalid"),
    ("name", "x" * 129, "name_invalid"),
    ("name", "a/b", "name_invalid"),
    ("plugins", GONE, "key_missing"),
    ("plugins", ["group/duck.yaml"], "wrong_type"),
    ("plugins.endpoints", GONE, "no_endpoints"),
    ("plugins.endpoints", None, "no_endpoints"),
    ("plugins.endpoints", [], "no_endpoints"),
    ("plugins.endpoints", "group/duck.yaml", "wrong_type"),
]


@pytest.mark.parametrize(("path", "value", "code"), ERRORS)
def test_what_a_plugin_cannot_be_without_is_an_error(draft: Draft, path: str, value: object, code: str) -> None:
    put(draft.manifest, path, value)

    reading = draft.read()

    assert reading.plugin is None
    assert [(found.key, found.code, found.file) for found in reading.errors] == [(path, code, "manifest.yaml")]
    assert reading.errors[0].remedy


WARNINGS = [
    ("version", "1.0", "version_unusual"),
    ("version", "v1.0.0", "version_unusual"),
    ("version", "1.0.0.1", "version_unusual"),
    ("version", "1.0.0rc1", "version_unusual"),
    ("type", GONE, "key_missing"),
    ("author", GONE, "key_missing"),
    ("author", "Yeuoly", "author_case"),
    ("label", GONE, "key_missing"),
    ("label", "Duck", "text_plain"),
    ("label", ["Duck"], "wrong_type"),
    ("description", GONE, "key_missing"),
    ("description", None, "key_missing"),
    ("icon", GONE, "key_missing"),
    ("icon", "other.svg", "icon_missing"),
    ("icon", "../icon.svg", "icon_missing"),
    ("icon", 5, "wrong_type"),
    ("icon_dark", "other.svg", "icon_missing"),
    ("created_at", GONE, "key_missing"),
    ("created_at", "yesterday", "created_at_invalid"),
    ("created_at", [], "created_at_invalid"),
    ("tags", "utilities", "wrong_type"),
    ("tags", ["utilites"], "tag_unknown"),
    ("tags", [["other"]], "tag_unknown"),
    ("privacy", ["PRIVACY.md"], "wrong_type"),
    ("repo", 1, "wrong_type"),
    ("resource", GONE, "key_missing"),
    ("resource", "plenty", "wrong_type"),
    ("resource.memory", GONE, "key_missing"),
    ("resource.memory", "256M", "wrong_type"),
    ("resource.memory", True, "wrong_type"),
    ("resource.memory", 0, "memory_invalid"),
    ("resource.permission", GONE, "endpoint_permission"),
    ("resource.permission.endpoint", GONE, "endpoint_permission"),
    ("resource.permission.tool", True, "wrong_type"),
    ("resource.permission.tool.enabled", "yes", "wrong_type"),
    ("resource.permission.storage.size", 100, "storage_size"),
    ("resource.permission.storage.size", 2**31, "storage_size"),
    ("meta", GONE, "key_missing"),
    ("meta.version", GONE, "key_missing"),
    ("meta.version", 0.1, "wrong_type"),
    ("meta.arch", GONE, "key_missing"),
    ("meta.arch", ["sparc"], "arch_unknown"),
    ("meta.arch", "amd64", "wrong_type"),
    ("meta.runner", GONE, "key_missing"),
    ("meta.runner.language", "go", "language_unknown"),
    ("meta.runner.version", GONE, "key_missing"),
    ("meta.runner.version", 3.12, "wrong_type"),
    ("meta.runner.entrypoint", GONE, "key_missing"),
    ("meta.minimum_dify_version", 1, "wrong_type"),
    ("plugins.tools", ["tools/duck.yaml"], "kind_unserved"),
    ("plugins.models", ["models/duck.yaml"], "kinds_combined"),
    ("plugins.agent_strategies", ["a.yaml"], "kinds_combined"),
    ("plugins.datasources", ["a.yaml"], "kinds_combined"),
    ("plugins.triggers", ["a.yaml"], "kinds_combined"),
]


@pytest.mark.parametrize(("path", "value", "code"), WARNINGS)
def test_what_does_not_concern_serving_is_a_warning(draft: Draft, path: str, value: object, code: str) -> None:
    put(draft.manifest, path, value)

    reading = draft.read()

    assert reading.plugin is not None
    assert reading.errors == ()
    assert [(found.key, found.code) for found in reading.warnings] == [(path, code)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", "12.3.4444-beta_1"),
        ("author", "a-b_9"),
        ("icon_dark", GONE),
        ("tags", GONE),
        ("privacy", None),
        ("repo", GONE),
        ("resource.permission.storage.size", GONE),
        ("resource.permission.model", None),
        ("meta.minimum_dify_version", None),
        ("plugins.tools", None),
        ("created_at", "2026-01-31"),
        ("created_at", "2026-01-31T12:00:00+08:00"),
        ("anything", {"at": "all"}),
    ],
)
def test_what_is_optional_or_unknown_is_not_mentioned(draft: Draft, path: str, value: object) -> None:
    put(draft.manifest, path, value)

    assert draft.read().findings == ()


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [("", "plugins", "plugin"), ("", "resource", "resources"), ("meta", "runner", "Runner")],
)
def test_a_misspelt_key_is_told_what_it_nearly_is(draft: Draft, path: str, old: str, new: str) -> None:
    document = draft.manifest[path] if path else draft.manifest
    document[new] = document.pop(old)

    found = [finding for finding in draft.read().warnings if finding.code == "key_misspelt"]

    assert [(finding.key, finding.remedy) for finding in found] == [
        (f"{path}.{new}".lstrip("."), f"did you mean '{old}'?")
    ]


def test_a_number_that_should_be_text_keeps_how_it_was_written(draft: Draft) -> None:
    text = 'name: duck\nversion: "1.0.0"\nplugins: {endpoints: [group/duck.yaml]}\nmeta: {runner: {version: 3.10}}\n'

    assert good(draft.read({"manifest.yaml": text})).runner_version == "3.10"


def test_without_the_assets_folder_there_is_one_warning(draft: Draft) -> None:
    draft.files = {name: text for name, text in draft.files.items() if not name.startswith("_assets/")}

    assert [found.code for found in draft.read().findings] == ["assets_missing"]


def test_storage_without_a_size_has_the_documented_default(draft: Draft) -> None:
    del draft.manifest["resource"]["permission"]["storage"]["size"]

    assert good(draft.read()).permissions.storage_size == 1048576


def test_flags_of_models_count_only_when_models_are_enabled(draft: Draft) -> None:
    draft.manifest["resource"]["permission"]["model"]["enabled"] = False

    assert good(draft.read()).permissions.models == frozenset()


def test_a_folder_without_a_manifest_has_one_error() -> None:
    reading = read_plugin(NoFiles())

    assert reading.plugin is None
    assert [(found.file, found.line, found.code) for found in reading.findings] == [
        ("manifest.yaml", None, "file_missing")
    ]
    assert "the folder that holds manifest.yaml" in reading.findings[0].remedy


class NoFiles:
    """A plugin with no files at all."""

    def read(self, path: str) -> bytes:
        raise FileProblem("file_missing", f"there is no file {path!r}", "add it")

    def check(self, path: str) -> None:
        self.read(path)

    def kind(self, path: str) -> Kind | None:
        return None if path else Kind.DIRECTORY


def test_a_missing_group_is_reported_where_it_is_listed(draft: Draft) -> None:
    text = "name: duck\nversion: 0.1.0\nplugins:\n  endpoints:\n    - group/duck.yaml\n    - group/none.yaml\n"

    errors = draft.read({"manifest.yaml": text}).errors

    assert [(e.file, e.line, e.key, e.code) for e in errors] == [
        ("manifest.yaml", 6, "plugins.endpoints[1]", "file_missing")
    ]


@pytest.mark.parametrize(
    ("item", "code"),
    [
        ("/etc/passwd", "path_absolute"),
        ("../other/group.yaml", "path_outside"),
        ("group\\duck.yaml", "path_backslash"),
        ("", "path_empty"),
        (".", "path_invalid"),
        (5, "wrong_type"),
        ({"settings": []}, "wrong_type"),
        ("./group//duck.yaml", "listed_twice"),
    ],
)
def test_a_group_must_be_a_path_inside_the_folder_listed_once(draft: Draft, item: object, code: str) -> None:
    draft.manifest["plugins"]["endpoints"].append(item)

    assert [(e.key, e.code) for e in draft.read().errors] == [("plugins.endpoints[1]", code)]


def test_several_groups_are_merged_in_order(draft: Draft) -> None:
    draft.manifest["plugins"]["endpoints"].append("group/goose.yaml")
    goose = """
settings:
  api_key: {type: secret-input, required: true, label: {en_US: Duck, zh_Hans: 鸭子, ja_JP: アヒル, pt_BR: Pato}}
  pond: {type: text-input, label: {en_US: Pond}}
endpoints:
  - {path: /goose, method: POST, extra: {python: {source: ./endpoints/duck.py}}}
"""

    reading = draft.read({"group/goose.yaml": goose})

    assert reading.errors == ()
    assert [setting.name for setting in good(reading).settings] == ["api_key", "pond"]
    assert [(i.method, i.path) for i in good(reading).interfaces] == [("GET", "/duck/<app_id>"), ("POST", "/goose")]
    assert good(reading).sources == ("endpoints/duck.py",)


def test_a_setting_declared_differently_in_two_groups_names_both_places(draft: Draft) -> None:
    draft.manifest["plugins"]["endpoints"].append("group/goose.yaml")
    goose = """settings:
  api_key: {type: text-input, label: {en_US: Duck}}
endpoints:
  - {path: /goose, method: POST, extra: {python: {source: endpoints/duck.py}}}
"""

    (error,) = draft.read({"group/goose.yaml": goose}).errors

    assert (error.code, error.file, error.line, error.key) == (
        *("setting_twice", "group/goose.yaml", 2, "settings.api_key"),
    )
    assert "group/duck.yaml:2" in error.message


def test_more_groups_than_can_be_meant_are_refused(draft: Draft) -> None:
    draft.manifest["plugins"]["endpoints"] += [f"group/{n}.yaml" for n in range(MAX_GROUPS)]

    assert "too_many_groups" in {error.code for error in draft.read().errors}


def test_every_fault_of_a_plugin_is_found_at_once(draft: Draft) -> None:
    draft.manifest["name"] = "Duck"
    draft.group["settings"].append({"name": "x", "type": "number", "label": {"en_US": "x"}})
    draft.interface["method"] = "PATCH"

    errors = draft.read().errors

    assert [(error.file, error.code) for error in errors] == [
        ("manifest.yaml", "name_invalid"),
        ("group/duck.yaml", "type_unknown"),
        ("endpoints/duck.yaml", "method_unknown"),
    ]


def test_a_plugin_whose_required_settings_have_defaults_needs_none(draft: Draft) -> None:
    draft.group["settings"][0]["default"] = "secret"

    assert not good(draft.read()).needs_settings
