"""What is served here and refused by the original: a warning says so, and few plugins that come with us have one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from endpointd.folders.folder import PluginFolder
from endpointd.manifest.asynchronous import async_warnings
from endpointd.manifest.reading import Reading, read_plugin

if TYPE_CHECKING:
    from collections.abc import Callable

    from manifest.conftest import Draft

SHIPPED = sorted((Path(__file__).parents[2] / "plugins").iterdir())
ALONE = {"chat": {"invoke_async"}, "duck": {"settings_not_a_list"}}
"""What some of them are there to show is for endpointd alone."""


def told(reading: Reading) -> list[tuple[str | None, str | None, str]]:
    """File, key and code of each finding about a plugin that can be served."""
    assert reading.plugin is not None, reading.findings
    return [(found.file, found.key, found.code) for found in reading.findings]


@pytest.mark.parametrize("settings", [None, {}, {"x": {"type": "text-input", "label": {"en_US": "X"}}}])
def test_settings_are_to_be_a_list(with_settings: Callable[[object], Reading], settings: object) -> None:
    assert told(with_settings(settings)) == [("group/duck.yaml", "settings", "settings_not_a_list")]


@pytest.mark.parametrize(
    ("entrypoint", "file"), [("main", "main.py"), ("app", "app/__main__.py"), ("app.main", "app/main.py")]
)
def test_the_entrypoint_has_a_file(draft: Draft, entrypoint: str, file: str) -> None:
    draft.manifest["meta"]["runner"]["entrypoint"] = entrypoint
    del draft.files["main.py"]

    assert told(draft.read()) == [("manifest.yaml", "meta.runner.entrypoint", "entrypoint_missing")]
    assert told(draft.read({file: ""})) == []


def test_an_entrypoint_that_is_no_module_has_none(draft: Draft) -> None:
    draft.manifest["meta"]["runner"]["entrypoint"] = "../main"

    assert [code for *_, code in told(draft.read())] == ["entrypoint_missing"]


def test_there_are_requirements(draft: Draft) -> None:
    del draft.files["requirements.txt"]

    assert told(draft.read()) == [("requirements.txt", None, "requirements_missing")]
    assert told(draft.read({"pyproject.toml": ""})) == []


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        ("[]", ["groups_differ"]),
        ("[{name: pond, type: boolean, label: {en_US: Pond}}]", ["groups_differ"]),
        ("[{name: api_key, type: secret-input, required: true, label: {en_US: Duck}}]", []),
    ],
)
def test_only_one_group_has_settings_of_its_own(draft: Draft, settings: str, codes: list[str]) -> None:
    draft.group["settings"][0]["label"] = {"en_US": "Duck"}
    draft.manifest["plugins"]["endpoints"].append("group/goose.yaml")
    interface = "{path: /goose, method: GET, extra: {python: {source: endpoints/duck.py}}}"

    reading = draft.read({"group/goose.yaml": f"settings: {settings}\nendpoints: [{interface}]\n"})

    assert told(reading) == [("manifest.yaml", "plugins.endpoints", code) for code in codes]


ASYNC = """\
class Base:
    async def other(self): ...

class Duck:
    async def _invoke(self, r, values, settings): ...
"""


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        (ASYNC, [5]),
        (ASYNC.replace("async def _invoke", "def _invoke"), []),
        ("async def _invoke(): ...\n", []),
        ("class Duck(:\n", []),
        ("\0", []),
    ],
)
def test_invoke_is_no_async_function(draft: Draft, source: str, lines: list[int]) -> None:
    plugin = draft.read().plugin
    assert plugin is not None

    class Files(PluginFolder):
        def read(self, path: str) -> bytes:
            assert path == "endpoints/duck.py"
            return source.encode()

    found = async_warnings(plugin, Files(Path()))

    assert [(one.file, one.line, one.code) for one in found] == [
        ("endpoints/duck.py", line, "invoke_async") for line in lines
    ]


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_a_plugin_that_comes_with_us_runs_elsewhere_too(folder: Path) -> None:
    files = PluginFolder(folder)
    reading = read_plugin(files)

    assert reading.plugin is not None
    found = (*reading.findings, *async_warnings(reading.plugin, files))
    assert {one.code for one in found} == ALONE.get(folder.name, set())
