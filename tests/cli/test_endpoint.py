"""The commands `endpointd endpoint …` and `endpointd secrets …`, as processes, against a daemon with a plugin."""

import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from endpointd.sealing.keyfile import KeyFile
from endpointd.testing import DaemonStarter, RunningDaemon
from support.plugins import write_plugin
from support.raw_http import ask

Run = Callable[..., CompletedProcess[str]]

TELLS = """
import json
from dify_plugin import Endpoint
from werkzeug import Response

class Tells(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(json.dumps(settings))
"""
SETTINGS: list[dict[str, Any]] = [
    {"name": "token", "type": "secret-input", "required": True, "label": {"en_US": "Bot token"}},
    {"name": "greeting", "type": "text-input", "default": "Hello"},
    {"name": "loud", "type": "boolean"},
]
SECRET = "hunter2-and-more"


@dataclass
class Shell:
    """A shell of an operator: `run` gives the outcome, `lines` what it printed, `document` the JSON of it."""

    run_command: Run
    daemon: RunningDaemon
    state: Path

    def run(self, *arguments: object, **variables: str) -> CompletedProcess[str]:
        return self.run_command(*arguments, ENDPOINTD_STATE=str(self.state), **variables)

    def lines(self, *arguments: object, **variables: str) -> list[str]:
        outcome = self.run(*arguments, **variables)
        assert outcome.returncode == 0, outcome.stderr
        return outcome.stdout.splitlines()

    def document(self, *arguments: object) -> Any:  # noqa: ANN401
        return json.loads("\n".join(self.lines(*arguments, "--json")))

    def refused(self, *arguments: object, **variables: str) -> str:
        outcome = self.run(*arguments, **variables)
        assert outcome.returncode in (1, 2), outcome.stdout
        return outcome.stderr

    def told(self, hook_id: str) -> Any:  # noqa: ANN401
        answer = ask(self.daemon.url, f"/e/{hook_id}/")
        return json.loads(answer.body) if answer.status == 200 else answer.code


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningDaemon, Path]]:
    """A daemon, and its state directory."""
    root = tmp_path_factory.mktemp("endpoint")
    routes = [("GET", "/", "tells.py"), ("POST", "/", "tells.py")]
    write_plugin(root / "plugins", "teller", {"tells.py": TELLS}, routes, {one["name"]: one for one in SETTINGS})
    starter = DaemonStarter(tmp_path_factory.mktemp)
    daemon = starter(root / "plugins", state=root / "state")
    yield daemon, root / "state"
    starter.stop_all()
    assert SECRET not in daemon.log()


@pytest.fixture
def shell(run: Run, served: tuple[RunningDaemon, Path], tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(run, *served)
    (tmp_path / "token").write_text(SECRET + "\n")
    yield shell
    nothing = tmp_path / "nothing.yaml"
    nothing.write_text("endpoints: []\n")
    shell.lines("endpoint", "apply", nothing)
    left = [one["id"] for one in shell.document("endpoint", "list")]
    if left:
        shell.lines("endpoint", "delete", "--yes", *left)


@pytest.fixture
def made(shell: Shell, tmp_path: Path) -> Any:  # noqa: ANN401
    """An endpoint, as the command that made it told it."""
    return shell.document("endpoint", "create", "teller", "--name", "One", "--set-file", f"token={tmp_path / 'token'}")


def test_one_is_made_shown_listed_and_answers(shell: Shell, made: Any) -> None:  # noqa: ANN401
    assert {"id", "hook_id", "plugin", "name", "settings", "enabled", "urls"} <= made.keys()
    assert made["settings"]["token"] == "********"
    assert shell.told(made["hook_id"]) == {"token": SECRET, "greeting": "Hello"}
    url = f"{shell.daemon.url}/e/{made['hook_id']}/"
    assert shell.lines("endpoint", "url", "One") == [url]
    heading, row = shell.lines("endpoint", "list")
    assert heading.split() == ["name", "plugin", "state", "owner", "hook", "id", "URL"]
    assert row.split() == ["One", "test/teller", "enabled", "operator", made["hook_id"], url]
    shown = "\n".join(shell.lines("endpoint", "show", made["hook_id"]))
    assert "token = ********" in shown
    assert "greeting = Hello (the default)" in shown
    assert f"GET,POST {url}" in shown
    assert shell.document("endpoint", "show", "test/teller:One") == made
    assert shell.document("endpoint", "list", "--plugin", "teller") == [made]


def test_a_change_leaves_what_it_does_not_name(shell: Shell, made: Any) -> None:  # noqa: ANN401
    shell.lines("endpoint", "update", "One", "--set", "greeting=Hi", "--set", "loud=yes", "--name", "Uno")
    assert shell.told(made["hook_id"]) == {"token": SECRET, "greeting": "Hi", "loud": True}
    changed = shell.document("endpoint", "update", "Uno", "--unset", "greeting", "--hook-id", "moved")
    assert shell.told("moved") == {"token": SECRET, "greeting": "Hello", "loud": True}
    assert (changed["name"], changed["settings"]["greeting"]) == ("Uno", None)
    assert "nothing_to_change" in shell.refused("endpoint", "update", "Uno")


def test_one_is_switched_off_and_on_and_deleted(shell: Shell, made: Any) -> None:  # noqa: ANN401
    assert shell.lines("endpoint", "disable", "One") == ["test/teller:One is disabled"]
    assert shell.told(made["hook_id"]) == "endpoint_disabled"
    assert shell.lines("endpoint", "enable", "One") == ["test/teller:One is enabled"]
    assert shell.told(made["hook_id"])["token"] == SECRET
    (off,) = shell.document("endpoint", "disable", made["id"])
    (on,) = shell.document("endpoint", "enable", made["id"])
    assert (off["id"], off["enabled"], on["enabled"]) == (made["id"], False, True)
    assert "--yes" in shell.refused("endpoint", "delete", "One")
    assert shell.lines("endpoint", "delete", "--yes", "One") == ["test/teller:One is deleted"]
    assert shell.told(made["hook_id"]) == "endpoint_unknown"
    assert "endpoint_unknown" in shell.refused("endpoint", "show", "One")


def test_every_fault_is_told_with_its_key_and_no_value(shell: Shell) -> None:
    told = shell.refused("endpoint", "create", "teller", "--name", "", "--hook-id", "no hook", "--set", "loud=yes")
    assert [line.split(": ")[2] for line in told.splitlines()] == ["name", "hook_id", "settings.token"]
    told = shell.refused("endpoint", "create", "teller", "--name", "x", "--set", "tokn=hush-hush")
    assert "did you mean 'token'?" in told
    assert "hush-hush" not in told
    assert "name_missing" in shell.refused("endpoint", "create", "teller", "--set", "token=x")
    assert "did you mean test/teller?" in shell.refused("endpoint", "create", "tellr", "--name", "x")


def test_a_secret_on_the_command_line_is_warned_of(shell: Shell) -> None:
    outcome = shell.run("endpoint", "create", "teller", "--name", "x", "--set", "token=hush-hush")
    assert outcome.returncode == 0
    assert "--set-file token=FILE" in outcome.stderr
    assert "hush-hush" not in outcome.stderr + outcome.stdout


@pytest.mark.parametrize("option", [("--name", "\udcff"), ("--name", "x", "--set", "greeting=\udcff")])
def test_what_is_not_utf_8_is_refused(shell: Shell, tmp_path: Path, option: tuple[str, ...]) -> None:
    told = shell.refused("endpoint", "create", "teller", "--set-file", f"token={tmp_path / 'token'}", *option)
    assert "text_encoding" in told
    assert "Traceback" not in told


DECLARED = """
endpoints:
  - plugin: test/teller
    name: Declared
    hook_id: declared
    settings:
      token: {env: TELLER_TOKEN}
      greeting: {file: greeting.txt}
"""


def test_a_file_is_compared_applied_and_owns_what_it_declares(shell: Shell, made: Any, tmp_path: Path) -> None:  # noqa: ANN401
    file = tmp_path / "endpoints.yaml"
    file.write_text(DECLARED)
    (tmp_path / "greeting.txt").write_text("Servus\n")
    variables = {"TELLER_TOKEN": SECRET}
    preview = shell.lines("endpoint", "apply", "--dry-run", file, **variables)
    assert preview[0] == "+ test/teller:Declared (declared)"
    assert "1 would be made" in preview[-1]
    assert shell.told("declared") == "endpoint_unknown"
    shell.lines("endpoint", "apply", file, **variables)
    assert shell.told("declared") == {"token": SECRET, "greeting": "Servus"}
    again = shell.lines("endpoint", "apply", "--dry-run", file, TELLER_TOKEN="another")
    assert again[0] == "~ test/teller:Declared (declared): settings.token"
    assert "endpoint_declared" in shell.refused("endpoint", "update", "Declared", "--name", "x")
    assert "endpoint_declared" in shell.refused("endpoint", "delete", "--yes", "Declared")
    assert "a file declares it" in "\n".join(shell.lines("endpoint", "show", "Declared"))
    file.write_text("endpoints: []\n")
    assert shell.lines("endpoint", "apply", file)[0] == "- test/teller:Declared (declared)"
    assert [one["name"] for one in shell.document("endpoint", "list")] == [made["name"]]


def test_faults_in_a_file_are_told_with_their_lines_and_change_nothing(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "endpoints.yaml"
    file.write_text(
        DECLARED.replace("greeting: {file: greeting.txt}", "greetin: Hi") + "  - plugin: test/tellr\n    name: B\n"
    )
    told = shell.refused("endpoint", "apply", file, TELLER_TOKEN=SECRET)
    assert f"{file}:8: endpoints[0].settings.greetin: " in told
    assert f"{file}:9: endpoints[1].plugin: " in told
    told = shell.refused("endpoint", "apply", file)
    assert f"{file}:8: endpoints[0].settings.greetin: " in told
    assert f"{file}:9: endpoints[1].plugin: " in told
    assert f"{file}:7: endpoints[0].settings.token: there is no environment variable 'TELLER_TOKEN'" in told
    assert "endpoints_unreadable" in shell.refused("endpoint", "apply", tmp_path / "absent.yaml")
    assert shell.document("endpoint", "list") == []


def test_the_key_is_changed_while_endpoints_answer(shell: Shell, made: Any) -> None:  # noqa: ANN401
    key = (shell.state / "secret.key").read_bytes()
    done = shell.document("secrets", "rotate")
    assert done == {"endpoints": 1, "key_file": str(shell.state / "secret.key")}
    assert (shell.state / "secret.key").read_bytes() != key
    assert shell.told(made["hook_id"])["token"] == SECRET
    assert "sealed with a new key" in shell.lines("secrets", "rotate")[0]


@dataclass
class Quiet:
    """A state directory whose daemon has ended, and what else that needs to start again."""

    state: Path
    plugins: Path
    made: Any


@pytest.fixture
def quiet(run: Run, start_daemon: DaemonStarter, tmp_path: Path) -> Quiet:
    state, token = tmp_path / "quiet", tmp_path / "secret"
    token.write_text(SECRET)
    routes = [("GET", "/", "tells.py")]
    write_plugin(tmp_path / "plugins", "teller", {"tells.py": TELLS}, routes, {one["name"]: one for one in SETTINGS})
    daemon = start_daemon(tmp_path / "plugins", state=state)
    create = ("endpoint", "create", "teller", "--name", "One", "--set-file", f"token={token}", "--json")
    made = run(*create, ENDPOINTD_STATE=str(state))
    assert made.returncode == 0, made.stderr
    daemon.stop()
    return Quiet(state, tmp_path / "plugins", json.loads(made.stdout))


def test_the_key_is_changed_where_no_daemon_runs(run: Run, start_daemon: DaemonStarter, quiet: Quiet) -> None:
    key = (quiet.state / "secret.key").read_bytes()
    done = run("secrets", "rotate", "--json", "--state", quiet.state)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"endpoints": 1, "key_file": str(quiet.state / "secret.key")}
    assert (quiet.state / "secret.key").read_bytes() != key
    daemon = start_daemon(quiet.plugins, state=quiet.state)
    assert json.loads(ask(daemon.url, f"/e/{quiet.made['hook_id']}/").body)["token"] == SECRET


def test_no_key_and_no_database_is_made_where_there_is_none(run: Run, quiet: Quiet, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "daemon_absent" in run("secrets", "rotate", "--state", tmp_path / "empty").stderr
    assert list((tmp_path / "empty").iterdir()) == []
    (quiet.state / "secret.key").unlink()
    assert "secret_key_missing" in run("secrets", "rotate", "--state", quiet.state).stderr
    assert not (quiet.state / "secret.key").exists()


def test_a_new_key_is_put_before_the_old_ones(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    old = KeyFile(path).make()
    outcome = run("secrets", "new-key", path)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    new = KeyFile(path).read()
    assert new is not None
    assert new.first != old.first
    assert new.ids == {new.first, old.first}
    assert path.stat().st_mode & 0o777 == 0o600
    refused = run("secrets", "new-key", tmp_path / "absent")
    assert "secret_key_missing" in refused.stderr
    assert not (tmp_path / "absent").exists()


class Terminal:
    """A command at a terminal, and somebody who types."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        ours, theirs = pty.openpty()
        self._fd = ours
        self.shown = ""
        environment = os.environ | {"ENDPOINTD_STATE": str(shell.state), "TERM": "dumb", "NO_COLOR": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "endpointd", *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
        )
        os.close(theirs)

    def wait_for(self, text: str, seconds: float = 30.0, times: int = 1) -> None:
        ends = time.monotonic() + seconds
        while self.shown.count(text) < times:
            assert time.monotonic() < ends, self.shown
            self._read()

    def type(self, text: str) -> None:
        os.write(self._fd, text.encode() + b"\n")

    def _read(self) -> bool:
        try:
            piece = os.read(self._fd, 4096)
        except OSError:  # as Linux tells that nobody has it open any more
            piece = b""
        self.shown += piece.decode()
        return bool(piece)

    def finish(self) -> int:
        while self._read():
            pass
        os.close(self._fd)
        return self.process.wait(30)


def test_at_a_terminal_what_is_missing_is_asked_for_and_secrets_are_not_shown(shell: Shell) -> None:
    terminal = Terminal(shell, "endpoint", "create", "teller", "--set", "loud=no")
    terminal.wait_for("Name: ")
    terminal.type("Asked")
    terminal.wait_for("Bot token (not shown): ")
    terminal.type(SECRET)
    terminal.wait_for("hook id")
    assert terminal.finish() == 0
    assert SECRET not in terminal.shown
    hook_id = re.search(r"hook id +(\w+)", terminal.shown)
    assert hook_id is not None
    assert shell.told(hook_id[1]) == {"token": SECRET, "greeting": "Hello", "loud": False}


def test_at_a_terminal_a_name_that_is_refused_is_asked_for_again_alone(shell: Shell) -> None:
    terminal = Terminal(shell, "endpoint", "create", "teller")
    terminal.wait_for("Name: ")
    terminal.type("x" * 300)
    terminal.wait_for("Bot token (not shown): ")
    terminal.type(SECRET)
    terminal.wait_for("Name: ", times=2)
    terminal.type("Short")
    assert terminal.finish() == 0
    assert terminal.shown.count("(not shown)") == 1
    (made,) = shell.document("endpoint", "list")
    assert (made["name"], shell.told(made["hook_id"])["token"]) == ("Short", SECRET)


def test_at_a_terminal_a_deletion_is_confirmed(shell: Shell, made: Any) -> None:  # noqa: ANN401
    for answer, is_left in (("n", True), ("y", False)):
        terminal = Terminal(shell, "endpoint", "delete", "One")
        terminal.wait_for("[y/N]: ")
        terminal.type(answer)
        assert (terminal.finish() == 0) is not is_left
        assert (made["id"] in [one["id"] for one in shell.document("endpoint", "list")]) is is_left
