"""What commands show on a terminal while something takes its time, and what they leave out: without one, and for who
wants quiet."""

import json
import re
import sys
from pathlib import Path

import pytest

from cli.conftest import Run
from endpointd.settings.settings import Settings
from endpointd.storage import open_store
from endpointd.testing import DaemonStarter
from support.plugins import write_plugin
from support.terminal import on_a_terminal

COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7]m")

HELLO = """
from dify_plugin import Endpoint
from werkzeug import Response

class Hello(Endpoint):
    def _invoke(self, r, values, settings):
        return Response("hello")
"""

COMMAND = [sys.executable, "-P", "-m", "endpointd"]


@pytest.fixture(scope="module")
def state(start_daemon_for_module: DaemonStarter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("quiet")
    write_plugin(folder / "plugins", "hello", {"hello.py": HELLO}, [("GET", "/", "hello.py")])
    start_daemon_for_module(folder / "plugins", state=folder / "state")
    return folder / "state"


@pytest.fixture
def big(tmp_path: Path) -> Path:
    """One that takes a moment to send."""
    plugin = write_plugin(tmp_path / "new", "big", {"hello.py": HELLO}, [("GET", "/", "hello.py")])
    (plugin / "data.bin").write_bytes(b"\0" * 6 * 1024 * 1024)
    return plugin


def test_what_is_sent_has_a_bar_on_a_terminal_alone(run: Run, state: Path, big: Path) -> None:
    install = ["install", str(big), "--state", str(state), "--replace"]
    status, shown = on_a_terminal([*COMMAND, *install])
    assert status == 0, shown
    assert "sending big" in shown
    assert "MB" in shown
    assert "install big …" in shown
    assert COLOUR.search(shown)
    assert "test/big 0.1.0 is RUNNING" in shown

    status, shown = on_a_terminal([*COMMAND, *install], NO_COLOR="1")
    assert "sending big" in shown
    assert not COLOUR.search(shown)

    status, shown = on_a_terminal([*COMMAND, *install, "--quiet"])
    assert (status, shown) == (0, "")

    plain = run(*install)
    assert (plain.returncode, plain.stderr) == (0, "")
    assert re.fullmatch(r"test/big 0\.1\.0 is RUNNING, release \w+\n", plain.stdout)
    quiet = run(*install, "-q")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    assert json.loads(run(*install, "--json").stdout)["id"] == "test/big"
    assert json.loads(run(*install, "--json", "-q").stdout)["id"] == "test/big"


def test_quiet_leaves_answers_warnings_and_errors(run: Run, state: Path, tmp_path: Path) -> None:
    assert "test/hello" in run("list", "-q", "--state", state).stdout
    told = run("restart", "hello", "--state", state, "-q")
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")
    wrong = run("restart", "nobody", "--state", state, "-q")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "there is no plugin 'nobody'" in wrong.stderr
    file = tmp_path / "backup.tar.gz"
    saved = run("backup", file, "--state", state, "--config", _empty(tmp_path), "-q")
    assert (saved.returncode, saved.stdout, saved.stderr) == (0, "", "")
    assert file.exists()
    assert run("env", "prune", "--state", state, "-q").stdout == ""
    assert "0 environments" in run("env", "prune", "--state", state).stdout
    assert "0 environments" in run("env", "list", "--state", state, "-q").stdout
    assert run("new", "one", "--author", "me", "--directory", tmp_path, "-q").stdout == ""
    assert run("check", tmp_path / "one", "-q").stdout == ""
    (tmp_path / "one" / "manifest.yaml").write_text("{}")
    assert "error: " in run("check", tmp_path / "one", "-q").stdout


def test_a_backup_has_a_bar(big: Path, tmp_path: Path) -> None:
    state, config = tmp_path / "state", tmp_path / "other.toml"
    state.mkdir()
    open_store(Settings(state=state)).close()
    config.write_text(f'plugins = "{big.parent}"\n')
    file = tmp_path / "backup.tar.gz"
    status, shown = on_a_terminal([*COMMAND, "backup", str(file), "--state", str(state), f"--config={config}"])
    assert status == 0, shown
    assert "saving" in shown
    assert "MB" in shown
    assert f"{file}: 1 plugin and the database" in shown.replace("\r\n", "")
    restored = tmp_path / "restored"
    config.write_text(f'plugins = "{restored / "plugins"}"\n')
    status, shown = on_a_terminal([*COMMAND, "restore", str(file), f"--state={restored}", f"--config={config}"])
    assert status == 0, shown
    assert "restoring" in shown
    assert (restored / "plugins" / "big" / "data.bin").exists()


WAITS = """
from threading import Event
from endpointd.cli.progress import waiting

asked = Event()

def news():
    asked.set()
    return "Downloading\\x1b[31m a lot"

def act():
    assert asked.wait(10)
    # The next question comes when the answer to the first was shown.
    asked.clear()
    assert asked.wait(10)

waiting("start it", act, news)
"""


def test_news_of_what_is_waited_for_are_shown() -> None:
    """Such as what uv says; it cannot steer the terminal."""
    status, shown = on_a_terminal([sys.executable, "-P", "-c", WAITS])
    assert status == 0, shown
    assert "start it …" in shown
    assert re.search(r"start it: Downloading\S*31m a lot", shown)
    assert "\x1b[31m a lot" not in shown


def _empty(folder: Path) -> Path:
    file = folder / "empty.toml"
    file.write_text(f'plugins = "{folder / "none"}"\n')
    (folder / "none").mkdir()
    return file
