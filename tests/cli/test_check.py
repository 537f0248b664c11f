"""`endpointd check`: findings that an author can act on, for people and for programs."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from support.wheels import no_index, wheel, wheelhouse

Run = Callable[..., CompletedProcess[str]]

MANIFEST = """\
version: 0.1.0
type: plugin
author: tester
name: greeter
label:
  en_US: Greeter
plugins:
  endpoints:
    - group/greeter.yaml
"""
GROUP = "endpoints:\n  - endpoints/hello.yaml\n"
INTERFACE = "path: /hello/<name>\nmethod: GET\nextra:\n  python:\n    source: endpoints/hello.py\n"
SOURCE = """\
from collections.abc import Mapping
from dify_plugin import Endpoint
from werkzeug import Request, Response

class Hello(Endpoint):
    def _invoke(self, r: Request, values: Mapping, settings: Mapping) -> Response:
        return Response(values["name"])
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """A plugin folder that works, apart from warnings."""
    folder = tmp_path / "greeter"
    (folder / "group").mkdir(parents=True)
    (folder / "endpoints").mkdir()
    (folder / "manifest.yaml").write_text(MANIFEST)
    (folder / "group" / "greeter.yaml").write_text(GROUP)
    (folder / "endpoints" / "hello.yaml").write_text(INTERFACE)
    (folder / "endpoints" / "hello.py").write_text(SOURCE)
    return folder


def test_a_plugin_that_works_shows_its_routes(run: Run, plugin: Path) -> None:
    outcome = run("check", plugin)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert "tester/greeter:0.1.0 can be served (0 errors, " in outcome.stdout
    assert ["GET", "/hello/<name>", "endpoints/hello.py"] in [row.split() for row in outcome.stdout.splitlines()]


def test_a_fault_in_a_file_is_told_with_place_key_and_remedy(run: Run, plugin: Path) -> None:
    (plugin / "endpoints" / "hello.yaml").write_text(INTERFACE.replace("GET", "FETCH"))
    outcome = run("check", plugin)
    assert (outcome.returncode, outcome.stderr) == (1, "")
    first, remedy, *_ = outcome.stdout.splitlines()
    assert first.startswith("error: endpoints/hello.yaml:2: method: ")
    assert "FETCH" in first
    assert remedy.startswith("  ")
    assert "cannot be served (1 error, " in outcome.stdout
    assert "/hello/<name>" not in outcome.stdout


def test_a_fault_in_the_code_is_found_by_loading_it(run: Run, plugin: Path) -> None:
    (plugin / "endpoints" / "hello.py").write_text("import no_such_module_anywhere\n")
    outcome = run("check", plugin)
    assert outcome.returncode == 1
    assert outcome.stdout.startswith("error: endpoints/hello.py")
    assert "no_such_module_anywhere" in outcome.stdout
    first, place, *_ = outcome.stderr.splitlines()
    assert first == "Traceback (most recent call last):"
    assert "hello.py" in place, "the traceback begins with the plugin's own line"


def test_an_async_invoke_is_a_warning_where_it_is_defined(run: Run, plugin: Path) -> None:
    (plugin / "endpoints" / "hello.py").write_text(SOURCE.replace("def _invoke", "async def _invoke"))
    line = SOURCE[: SOURCE.index("def _invoke")].count("\n") + 1
    outcome = run("check", plugin)
    assert outcome.returncode == 0
    assert f"warning: endpoints/hello.py:{line}: " in outcome.stdout
    assert "[invoke_async]" in outcome.stdout


def test_json_is_one_object(run: Run, plugin: Path) -> None:
    outcome = run("check", plugin, "--json")
    answer = json.loads(outcome.stdout)
    assert outcome.returncode == 0
    assert set(answer) == {"plugin", "ok", "requires", "findings", "interfaces"}
    assert (answer["plugin"], answer["ok"], answer["requires"]) == ("tester/greeter:0.1.0", True, [])
    assert answer["interfaces"] == [
        {"method": "GET", "path": "/hello/<name>", "source": "endpoints/hello.py", "hidden": False}
    ]


def test_a_plugin_that_requires_settings_is_told_that_it_gets_no_endpoint(run: Run, plugin: Path) -> None:
    settings = "settings:\n  token:\n    type: secret-input\n    required: true\n    label: {en_US: Token}\n"
    (plugin / "group" / "greeter.yaml").write_text(settings + GROUP)
    outcome = run("check", plugin)
    assert outcome.returncode == 0
    last = outcome.stdout.splitlines()[-1]
    assert last.startswith("it gets no endpoint of its own, because it requires settings: token; once it is served,")
    assert "'endpointd endpoint create tester/greeter --name NAME'" in last
    assert json.loads(run("check", plugin, "--json").stdout)["requires"] == ["token"]


def test_a_folder_that_no_worker_can_be_told_is_refused(run: Run, plugin: Path) -> None:
    outcome = run("check", plugin.rename(plugin.with_name("caf\udce9")))
    assert outcome.returncode == 2
    assert "caf\\udce9' is not UTF-8" in outcome.stderr
    assert "[path_encoding]" in outcome.stderr


def test_json_of_a_broken_plugin(run: Run, plugin: Path) -> None:
    (plugin / "manifest.yaml").write_text("name: [")
    outcome = run("check", plugin, "--json")
    answer = json.loads(outcome.stdout)
    assert outcome.returncode == 1
    assert (answer["plugin"], answer["ok"], answer["interfaces"]) == (None, False, [])
    assert [finding["file"] for finding in answer["findings"]] == ["manifest.yaml"]
    assert answer["findings"][0]["severity"] == "error"


def test_errors_come_before_warnings(run: Run, plugin: Path) -> None:
    (plugin / "endpoints" / "hello.py").write_text("import no_such_module_anywhere\n")
    severities = [finding["severity"] for finding in json.loads(run("check", plugin, "--json").stdout)["findings"]]
    assert severities == sorted(severities)
    assert set(severities) == {"error", "warning"}


def test_a_hostile_file_can_neither_forge_lines_nor_steer_the_terminal(run: Run, plugin: Path) -> None:
    hostile = '"FETCH\\nwarning: forged\\e[2J"'
    (plugin / "endpoints" / "hello.yaml").write_text(INTERFACE.replace("GET", hostile))
    outcome = run("check", plugin)
    assert outcome.returncode == 1
    assert "FETCH" in outcome.stdout
    assert "\nwarning: forged" not in outcome.stdout
    assert "\x1b" not in outcome.stdout


@pytest.mark.parametrize("name", ["nowhere", "greeter/manifest.yaml"])
def test_what_is_not_a_directory_ends_with_status_2(run: Run, plugin: Path, name: str) -> None:
    outcome = run("check", plugin.parent / name)
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert outcome.stderr.startswith(f"endpointd: error: {plugin.parent / name} is not a directory; ")
    assert outcome.stderr.endswith("[not_a_directory]\n")


def test_what_a_plugin_asks_for_is_installed_to_load_it(run: Run, plugin: Path, tmp_path: Path) -> None:
    packages = wheelhouse(tmp_path / "packages")
    wheel(packages, "duck", "1.0", {"duck.py": "says = 'quack'"})
    (plugin / "requirements.txt").write_text("duck==1.0\n")
    (plugin / "endpoints" / "hello.py").write_text("import duck\n" + SOURCE)
    around = {
        "UV_DEFAULT_INDEX": no_index(tmp_path / "index"),
        "UV_FIND_LINKS": str(packages),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    first, again = (run("check", plugin, "--json", **around) for _ in range(2))
    assert json.loads(first.stdout)["ok"], first.stdout
    assert " + duck==1.0" in first.stderr.splitlines()
    assert (json.loads(again.stdout)["ok"], again.stderr) == (True, "")
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {"uv", "endpointd"}


def test_what_cannot_be_installed_is_an_error(run: Run, plugin: Path, tmp_path: Path) -> None:
    (plugin / "requirements.txt").write_text("no-such-duck==1.0\n")
    outcome = run(
        "check", plugin, UV_DEFAULT_INDEX=no_index(tmp_path / "index"), XDG_CACHE_HOME=str(tmp_path / "cache")
    )
    assert outcome.returncode == 1
    assert "its environment could not be built: No solution found" in outcome.stdout
    assert "[environment_failed]" in outcome.stdout


def test_requirements_that_cannot_be_understood_are_told_with_their_line(run: Run, plugin: Path) -> None:
    (plugin / "requirements.txt").write_text("\nsix is good\n")
    outcome = run("check", plugin)
    assert outcome.returncode == 1
    assert outcome.stdout.startswith("error: requirements.txt:2: 'six is good' is no requirement: ")
