"""A daemon is saved while it serves, and another one goes on with that: endpoints with their secrets, tokens, pins."""

import subprocess
import sys
from pathlib import Path

from endpointd.settings.settings import Settings
from endpointd.storage import open_store
from endpointd.testing import DaemonStarter
from live.conftest import Served, Shop, source
from support.plugins import write_plugin

TELLS = """
from dify_plugin import Endpoint
from werkzeug import Response

class Tells(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(settings["word"])
"""
SETTINGS = {"word": {"type": "secret-input", "required": True, "label": {"en_US": "Word"}}}


def endpointd(state: Path, plugins: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "endpointd", *map(str, arguments), "--state", str(state)]
    environment = {"ENDPOINTD_PLUGINS": str(plugins), "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_another_daemon_goes_on_with_what_was_saved(tmp_path: Path) -> None:
    shop, state = Shop(tmp_path), tmp_path / "state"
    starter = DaemonStarter(lambda name: tmp_path / name)
    try:
        served = Served(starter(shop.plugins, state=state), state)
        shop.put("duck", "version 1")
        served.comes_to_say("duck", "version 1")
        shop.edit("duck", "version 2")
        served.comes_to_say("duck", "version 2")
        write_plugin(shop.plugins, "teller", {"t.py": TELLS}, [("GET", "/", "t.py")], SETTINGS)
        served.daemon.wait_for_log("test/teller")
        create = (
            "endpoint",
            "create",
            "teller",
            "--name",
            "t",
            "--hook-id",
            "secret-teller",
            "--set",
            "word=swordfish",
        )
        for command in (("rollback", "duck"), create, ("token", "create", "ci")):
            done = endpointd(state, shop.plugins, *command)
            assert done.returncode == 0, done.stderr

        for name, options in (("with", ["--with-key"]), ("without", [])):
            # The daemon knows where its plugins are.
            done = endpointd(state, tmp_path / "elsewhere", "backup", tmp_path / name, *options)
            assert (done.returncode, "The key is" in done.stdout) == (0, True), done.stderr
            assert "2 plugins and the database" in done.stdout
        refused = endpointd(state, shop.plugins, "restore", "--replace", tmp_path / "with")
        assert (refused.returncode, "[state_in_use]" in refused.stderr) == (1, True)
        assert served.says("secret-teller") == "swordfish"

        new, plugins = tmp_path / "new", tmp_path / "new-plugins"
        done = endpointd(new, plugins, "restore", tmp_path / "without")
        assert (done.returncode, "secret_key_missing" in done.stderr) == (0, True)
        done = endpointd(new, plugins, "restore", "--replace", tmp_path / "with")
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        again = Served(starter(plugins, state=new), new)
        assert (again.says("duck"), again.says("secret-teller")) == ("version 1", "swordfish")
        assert source("version 2") == (plugins / "duck" / "says.py").read_text()
        assert "ci" in endpointd(new, plugins, "token", "list").stdout
    finally:
        starter.stop_all()


def test_what_is_missing_in_a_backup_is_said(tmp_path: Path) -> None:
    state, plugins = tmp_path / "state", tmp_path / "plugins"
    for folder in (state, plugins):
        folder.mkdir()
    open_store(Settings(state=state)).close()
    done = endpointd(state, plugins, "backup", tmp_path / "backup")
    assert (done.returncode, f"there is no plugin in {plugins}" in done.stderr) == (0, True)
    (plugins / "link").symlink_to("n" * 300)
    done = endpointd(state, plugins, "backup", tmp_path / "backup")
    assert (done.returncode, "[release_unreadable]" in done.stderr, "[backup_incomplete]" in done.stderr) == (
        1,
        True,
        True,
    )
    (plugins / "link").unlink()
    plugins.rmdir()
    done = endpointd(state, plugins, "backup", tmp_path / "backup")
    assert (done.returncode, f"{plugins} is to be saved and cannot be read" in done.stderr) == (1, True)
