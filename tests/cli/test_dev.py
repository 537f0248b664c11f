"""`endpointd dev` as a process: what is saved is served, and what is wrong is told where the author looks."""

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest
import yaml

from cli.conftest import Run
from support.eventually import eventually
from support.plugins import write_plugin
from support.raw_http import ask

SOURCE = """
from dify_plugin import Endpoint
from werkzeug import Response

class Says(Endpoint):
    def _invoke(self, r, values, settings):
        print("asked")
        return {expression}
"""


class Dev:
    """The command, running; `told` is what it has written so far."""

    def __init__(self, folder: Path, *options: object, **variables: str) -> None:
        self.source = folder / "says.py"
        command = ["dev", folder, "--listen", "127.0.0.1:0", *options]
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "endpointd", *map(str, command)],
            env=os.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )
        assert self.process.stdout is not None
        self._output: IO[str] = self.process.stdout
        self.told = ""
        self.url = self.wait_for(r"plugins served on (\S+)")

    def wait_for(self, pattern: str) -> str:
        """Read until a line has `pattern`; its first group. AssertionError: the command has ended before."""
        for line in self._output:
            self.told += line
            found = re.search(pattern, line)
            if found:
                return found[1]
        raise AssertionError(f"no {pattern!r}:\n{self.told}")

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=30)
        self.told += rest
        assert self.process.returncode == 0, self.told

    def says(self) -> str:
        answer = ask(self.url, "/e/duck/")
        return answer.body.decode()


def save(source: Path, expression: str) -> None:
    source.write_text(SOURCE.format(expression=expression))


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    folder = write_plugin(
        tmp_path, "duck", {"says.py": SOURCE.format(expression="Response('one')")}, [("GET", "/", "says.py")]
    )
    dev = Dev(folder)
    yield dev
    dev.end()


def test_what_is_saved_is_served(dev: Dev) -> None:
    assert dev.says() == "one"
    save(dev.source, "Response('two')")
    assert eventually(lambda: dev.says() == "two") < 2
    assert dev.wait_for(r"line=(asked)") == "asked"


@pytest.mark.parametrize(("level", "is_shown"), [("info", False), ("debug", True)])
def test_the_daemons_own_routine_is_for_those_who_look_for_it(tmp_path: Path, level: str, is_shown: bool) -> None:
    folder = write_plugin(
        tmp_path, "duck", {"says.py": SOURCE.format(expression="Response('one')")}, [("GET", "/", "says.py")]
    )
    dev = Dev(folder, ENDPOINTD_LOG_LEVEL=level)
    save(dev.source, "Response('two')")
    assert dev.wait_for(r"(plugin\.changed|worker\.switched)") == "plugin.changed"
    dev.wait_for(r"(worker\.switched)")
    dev.end()
    assert {f" {event} " in dev.told for event in ("plugin.stage", "plugin.state", "worker.ready")} == {is_shown}
    assert "<Stage" not in dev.told


def test_a_terminal_that_takes_no_more_keeps_no_request(dev: Dev) -> None:
    """Each writes some lines, which nobody reads; a pipe has room for 64 KiB."""
    assert {dev.says() for _ in range(1000)} == {"one"}


def test_a_traceback_is_in_the_answer(dev: Dev) -> None:
    save(dev.source, "1 / 0")
    eventually(lambda: "ZeroDivisionError" in dev.says())
    assert "says.py" in dev.says()


def test_what_cannot_be_loaded_is_told_with_its_line_and_the_version_before_goes_on(dev: Dev) -> None:
    dev.source.write_text("class Says(:\n")
    dev.wait_for(r"(worker\.failed) ")
    assert dev.wait_for(r"^  (\S+) ") == "says.py:1:"
    assert dev.says() == "one"


ASKS = SOURCE.format(expression="Response(repr(sorted(settings.items())))")
SETTINGS = {
    "token": {"type": "secret-input", "required": True, "label": {"en_US": "Token"}},
    "loud": {"type": "boolean", "required": True, "label": {"en_US": "Loud"}},
}


@pytest.fixture
def asking(tmp_path: Path) -> Path:
    """A plugin that has to be given a secret, and a switch."""
    return write_plugin(tmp_path, "duck", {"says.py": ASKS}, [("GET", "/", "says.py")], SETTINGS)


def test_settings_are_given_on_the_command_line_and_in_files(asking: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    dev = Dev(asking, "--set", "loud=yes", "--set-file", f"token={tmp_path / 'token'}")
    assert dev.says() == "[('loud', True), ('token', 's3cret')]"
    dev.end()
    assert "s3cret" not in dev.told


def test_the_advice_for_settings_that_are_missing_works_as_it_is_printed(asking: Path, run: Run) -> None:
    dev = Dev(asking, "--set", "loud=yes")
    advice = re.search(r"requires settings: token; give them with --set .*'endpointd (endpoint create .*)'", dev.told)
    assert advice, dev.told
    made = run(*shlex.split(advice[1]), "--set-file", "token=/dev/null", "--set", "loud=no", "--hook-id", "duck")
    assert made.returncode == 0, made.stderr
    assert dev.says() == "[('loud', False), ('token', '')]"
    dev.end()


def test_a_setting_that_is_required_from_now_on_is_told(dev: Dev) -> None:
    group = dev.source.parent / "group.yaml"
    declared = yaml.safe_load(group.read_text()) | {"settings": SETTINGS}
    group.write_text(yaml.safe_dump(declared, sort_keys=False))
    dev.wait_for(r"(plugin\.without_endpoint)")
    assert "requires settings: token, loud; give them with --set" in dev.wait_for("(.*)")


@pytest.mark.parametrize("names", ["option", "variable"])
def test_the_state_is_kept_where_one_is_named(asking: Path, run: Run, tmp_path: Path, names: str) -> None:
    state = tmp_path / "kept state"
    options, variables = (("--state", state), {}) if names == "option" else ((), {"ENDPOINTD_STATE": str(state)})
    dev = Dev(asking, *options, **variables)
    assert f"--state '{state}'" in dev.told
    assert "gone" not in dev.told
    settings = ("--set-file", "token=/dev/null", "--set", "loud=no")
    run("endpoint", "create", "duck", "--name", "One", "--hook-id", "duck", "--state", state, *settings)
    dev.end()
    again = Dev(asking, *options, **variables)
    assert again.says() == "[('loud', False), ('token', '')]"
    again.end()


def test_without_a_name_the_state_is_told_and_gone_afterwards(dev: Dev, run: Run) -> None:
    state = re.search(r"with --state (\S+)\n", dev.told)
    assert state, dev.told
    assert "are gone when it ends" in dev.told
    assert run("status", "duck", "--state", state[1]).returncode == 0
    dev.end()
    assert not Path(state[1]).exists()


@pytest.mark.parametrize(
    ("given", "code"), [("lout=yes", "setting_unknown"), ("loud=perhaps", "value_type"), ("loud", "assignment_invalid")]
)
def test_settings_that_cannot_be_given_are_an_error_at_once(asking: Path, run: Run, given: str, code: str) -> None:
    outcome = run("dev", asking, "--set", given)
    assert outcome.returncode
    assert f"[{code}]" in outcome.stderr


def test_settings_for_what_is_no_plugin_are_an_error_at_once(run: Run, tmp_path: Path) -> None:
    outcome = run("dev", tmp_path, "--set", "loud=yes")
    assert (outcome.returncode, "[plugin_invalid]" in outcome.stderr) == (1, True)


def test_a_folder_that_is_none_is_an_error_at_once(run: Run, tmp_path: Path) -> None:
    outcome = run("dev", tmp_path / "nowhere")
    assert (outcome.returncode, outcome.stdout) == (2, "")
    assert "not_a_directory" in outcome.stderr
