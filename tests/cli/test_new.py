"""`endpointd new`: a plugin that works at once, and nothing at all when it cannot be written."""

import json
import os
import pwd
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from endpointd.cli.scaffolding import Created, print_created
from endpointd.testing import DaemonStarter
from support.raw_http import ask

Run = Callable[..., CompletedProcess[str]]

FILES = {
    *("README.md", "_assets/icon.svg", "endpoints/echo.py", "endpoints/echo.yaml", "endpoints/greet.py"),
    *("endpoints/greet.yaml", "group/endpoints.yaml", "main.py", "manifest.yaml", "requirements.txt"),
    "tests/test_my_plugin.py",
}


@pytest.fixture
def nobody(tmp_path: Path) -> dict[str, str]:
    """Surroundings in which git knows no name."""
    return {"HOME": str(tmp_path), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_DIR": os.devnull}


@pytest.fixture
def plugin(run: Run, tmp_path: Path) -> Path:
    outcome = run("new", "my-plugin", "--author", "ada", "--directory", tmp_path)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    return tmp_path / "my-plugin"


def manifest_of(run: Run, folder: Path) -> str:
    outcome = run("check", folder, "--json")
    answer = json.loads(outcome.stdout)
    assert answer["findings"] == []
    return str(answer["plugin"])


def test_it_has_what_a_plugin_has(run: Run, plugin: Path) -> None:
    assert {str(path.relative_to(plugin)) for path in plugin.rglob("*") if path.is_file()} == FILES
    assert manifest_of(run, plugin) == "ada/my-plugin:0.1.0"


@pytest.mark.parametrize("place", ["", "my-plugin"], ids=["from beside it", "from within"])
def test_its_tests_pass(plugin: Path, place: str) -> None:
    command = [sys.executable, "-m", "pytest", "-W", "error", str(plugin)]
    surroundings = plugin.parent / place
    done = subprocess.run(command, cwd=surroundings, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout
    assert "4 passed" in done.stdout


def test_it_is_served(plugin: Path, start_daemon: DaemonStarter) -> None:
    answer = ask(start_daemon(plugin.parent).url, "/e/my-plugin/greet/Ada")
    assert (answer.status, answer.body) == (200, b'{"greeting": "Hello, Ada!"}\n')


def test_its_code_is_clean(plugin: Path) -> None:
    """By the rules of this repository, which its author may take over."""
    config = Path(__file__).parents[2] / "pyproject.toml"
    ruff = [sys.executable, "-m", "ruff"]
    for command in (
        [*ruff, "check", "--config", config, "--ignore", "ARG002", plugin],
        [*ruff, "format", "--check", "--config", config, plugin],
        [sys.executable, "-m", "mypy", "--config-file", config, plugin],
    ):
        done = subprocess.run(
            list(map(str, command)), cwd=config.parent, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_what_comes_next_is_printed_and_can_be_typed(run: Run, tmp_path: Path) -> None:
    directory = tmp_path / "my plugins"
    directory.mkdir()
    outcome = run("new", "greeter", "--author", "ada", "--directory", directory)
    assert outcome.stdout.splitlines() == [
        f"written: '{directory}/greeter'",
        f"  check it:  endpointd check '{directory}/greeter'",
        f"  test it:   {sys.executable} -m pytest '{directory}/greeter'",
        f"  write it:  endpointd dev '{directory}/greeter'",
        f"  serve it:  endpointd serve --plugins '{directory}'",
    ]


def test_who_has_no_pytest_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pytest", None)
    print_created(Created(Path("greeter"), "ada", None))
    assert capsys.readouterr().out.splitlines()[2:4] == [
        f"  to test:   {sys.executable} -m pip install pytest",
        f"  test it:   {sys.executable} -m pytest greeter",
    ]


@pytest.mark.parametrize("name", ["true", "123", "_", "a" * 128, "on_off", "1e5"])
def test_any_name_that_is_allowed_works(run: Run, tmp_path: Path, name: str) -> None:
    assert run("new", name, "--author", "0", "--directory", tmp_path).returncode == 0
    assert manifest_of(run, tmp_path / name) == f"0/{name}:0.1.0"


def test_a_name_with_a_hyphen_in_front_works(run: Run, tmp_path: Path) -> None:
    outcome = run("new", "--author", "ada", "--directory", tmp_path, "--", "-x")
    assert manifest_of(run, tmp_path / "-x") == "ada/-x:0.1.0"
    assert outcome.returncode == 0


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("My Plugin", ": my-plugin, for example"),
        ("Übung/2", ": ubung-2, for example"),
        ("../up", ": up, for example"),
        ("a" * 129, f": {'a' * 128}, for example"),
        ("猫", ""),
        ("", ""),
        ("line\n", ": line, for example"),
    ],
)
def test_another_name_is_refused_with_a_suggestion(run: Run, tmp_path: Path, name: str, suggestion: str) -> None:
    outcome = run("new", name, "--author", "ada", "--directory", tmp_path)
    rule = "use 1 to 128 of the characters a-z 0-9 _ -"
    assert outcome.returncode == 2
    assert outcome.stderr.endswith(f" cannot be the name of a plugin; {rule}{suggestion} [name_invalid]\n")
    assert list(tmp_path.iterdir()) == []


def test_the_author_is_gits_user_made_fit(run: Run, tmp_path: Path, nobody: dict[str, str]) -> None:
    config = tmp_path / "gitconfig"
    config.write_text("[user]\n\tname = Ada Löv  King\n")
    outcome = run("new", "one", "--directory", tmp_path, **nobody | {"GIT_CONFIG_GLOBAL": str(config)})
    assert "author: ada-lov-king (from git's user.name; another one: author in " in outcome.stdout
    assert manifest_of(run, tmp_path / "one") == "ada-lov-king/one:0.1.0"


@pytest.mark.parametrize("path", ["", os.environ["PATH"]], ids=["no git", "git without a name"])
def test_otherwise_the_author_is_the_login_name(run: Run, tmp_path: Path, nobody: dict[str, str], path: str) -> None:
    names = {"LOGNAME": "Grace H", "USER": "other", "PATH": path}
    outcome = run("new", "one", "--directory", tmp_path, **nobody | names)
    assert "author: grace-h (from your login name; another one: author in " in outcome.stdout


def test_an_author_that_nothing_tells_has_to_be_given(run: Run, tmp_path: Path, nobody: dict[str, str]) -> None:
    outcome = run("new", "one", "--directory", tmp_path, **nobody | {"LOGNAME": "猫"})
    assert outcome.returncode == 2
    assert "give it with --author [author_unknown]" in outcome.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("option", "value", "code"),
    [
        ("--author", "Ada L", "author_invalid"),
        ("--author", "a" * 65, "author_invalid"),
        ("--author", "", "author_invalid"),
        ("--description", "two\nlines", "description_invalid"),
        ("--description", " ", "description_invalid"),
        ("--description", "x" * 1024, "description_invalid"),
        ("--directory", "missing", "not_a_directory"),
    ],
)
def test_what_cannot_be_used_is_refused(run: Run, tmp_path: Path, option: str, value: str, code: str) -> None:
    given = {"--author": "ada", "--directory": str(tmp_path)} | {option: value}
    outcome = run("new", "one", *(word for pair in given.items() for word in pair))
    assert (outcome.returncode, code in outcome.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_a_description_can_have_any_characters(run: Run, tmp_path: Path) -> None:
    text = """key: "quoted" #no 'comment' $name \\n 猫 \U0001f408\u200d\u2b1b {x} &a *b"""
    outcome = run("new", "one", "--author", "ada", "--description", text, "--directory", tmp_path)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert manifest_of(run, tmp_path / "one") == "ada/one:0.1.0"
    assert text in (tmp_path / "one" / "README.md").read_text()


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_nothing_is_overwritten(run: Run, tmp_path: Path, kind: str) -> None:
    there = tmp_path / "one"
    if kind == "folder":
        there.mkdir()
    elif kind == "file":
        there.write_text("mine")
    else:
        there.symlink_to("nowhere")
    before = os.lstat(there)
    outcome = run("new", "one", "--author", "ada", "--directory", tmp_path)
    assert (outcome.returncode, "[folder_exists]" in outcome.stderr) == (2, True)
    assert os.path.samestat(os.lstat(there), before)
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


def test_a_folder_that_cannot_be_written_is_told(run: Run) -> None:
    outcome = run("new", "one", "--author", "ada", "--directory", "/proc")
    assert (outcome.returncode, "[folder_unwritable]" in outcome.stderr) == (1, True)


def test_the_login_name_of_this_user_will_do(run: Run, tmp_path: Path, nobody: dict[str, str]) -> None:
    empty = dict.fromkeys(("LOGNAME", "USER", "LNAME", "USERNAME"), "")
    outcome = run("new", "one", "--directory", tmp_path, **nobody | empty)
    assert f"author: {pwd.getpwuid(os.getuid()).pw_name}" in outcome.stdout
