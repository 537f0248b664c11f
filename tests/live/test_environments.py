"""Plugins that ask for packages, in a daemon that serves: what clients, operators and the disk see of the builds."""

import http.server
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
from uv import find_uv_bin

from endpointd.admin.client import Client as Admin
from endpointd.testing import DaemonStarter
from live.conftest import Served, Shop
from support.eventually import eventually
from support.load import Load
from support.raw_http import Answer, ask
from support.wheels import no_index, source_distribution, wheel, wheelhouse

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
SAYS = """
import duck
from dify_plugin import Endpoint
from werkzeug import Response

class Says(Endpoint):
    def _invoke(self, r, values, settings):
        return Response(duck.says)
"""
PROJECT = """
[project]
name = "pond"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["duck"]
"""
VERSIONS = """
from importlib.metadata import version
import msgpack
from dify_plugin import Endpoint
from werkzeug import Response

class Says(Endpoint):
    def _invoke(self, r, values, settings):
        assert r.args.get("x") is None and r.get_data() == b""
        assert msgpack.unpackb(msgpack.packb([1])) == [1]
        response = Response(piece for piece in (version("werkzeug"), " ", version("msgpack")))
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response
"""
WAITS = """
import pathlib, subprocess, time
gate = pathlib.Path("{gate}")
child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
gate.with_name("pid").write_text(str(child.pid))
while not gate.exists():
    time.sleep(0.01)
child.kill(); child.wait()
"""


class Pond:
    """A shop whose plugins ask for packages that are made here."""

    def __init__(self, shop: Shop, packages: Path, start: Callable[..., Served]) -> None:
        self.shop = shop
        self.packages = packages
        self._start = start

    @property
    def state(self) -> Path:
        """The daemon's."""
        return self.shop.plugins.with_name("state")

    def serve(self, **settings: object) -> Served:
        return self._start(**{"uv_find_links": self.packages, **settings})

    def duck(self, version: str) -> None:
        wheel(self.packages, "duck", version, {"duck.py": f"says = 'version {version}'"})

    def slow_duck(self, version: str, gate: Path) -> None:
        """A package whose build waits until `gate` is there."""
        source_distribution(
            self.packages,
            "duck",
            version,
            WAITS.format(gate=gate) + f"\nreturn make(folder, \"says = 'version {version}'\")",
        )

    def put(self, name: str, requirements: str) -> None:
        made = self.shop.make(name, "")
        (made / "says.py").write_text(SAYS)
        (made / "requirements.txt").write_text(requirements)
        manifest = made / "manifest.yaml"
        manifest.write_text(manifest.read_text().replace("'3.12'", f"'{HERE}'"))
        made.rename(self.shop.plugins / name)

    def ask_for(self, name: str, requirements: str) -> None:
        """Change what the plugin asks for."""
        file = self.shop.plugins / name / "requirements.txt"
        new = file.with_name(".requirements.swp")
        new.write_text(requirements)
        os.replace(new, file)


@pytest.fixture
def pond(
    shop: Shop,
    serve: Callable[..., Served],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Pond:
    monkeypatch.setenv("UV_DEFAULT_INDEX", no_index(tmp_path / "index"))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path_factory.getbasetemp() / "uv-cache"))
    return Pond(shop, wheelhouse(tmp_path / "packages"), serve)


def status(served: Served, name: str = "duck") -> dict[str, object]:
    with Admin(served.state) as admin:
        return next(one for one in admin.plugins() if one["folder"] == name)


def becomes(served: Served, state: str, name: str = "duck") -> dict[str, object]:
    try:
        eventually(lambda: status(served, name)["state"] == state, 30)
    except AssertionError:
        raise AssertionError(f"{status(served, name)}\n{served.daemon.log()}") from None
    return status(served, name)


def kept(served: Served) -> list[str]:
    return sorted(path.name for path in (served.state / "environments").iterdir())


def is_a_version(answer: Answer) -> bool:
    return answer.status == 200 and answer.body.startswith(b"version ")


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except FileNotFoundError:
        return False


@contextmanager
def index_of(packages: Path) -> Iterator[str]:
    """A package index with these packages, for as long as the block lasts: lists of files are enough for one."""
    with tempfile.TemporaryDirectory() as name:
        for package in packages.iterdir():
            folder = Path(name) / "simple" / package.name.partition("-")[0]
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(package, folder / package.name)
        handler = partial(Quiet, directory=name)
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}/simple"
            server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nobody reads it."""


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "endpointd", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# Building


def test_a_plugin_gets_what_it_asks_for_and_the_daemon_is_ready_meanwhile(pond: Pond, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pond.slow_duck("1.0", gate)
    pond.put("duck", "duck==1.0")
    pond.shop.put("goose", "quick")
    served = pond.serve()
    assert served.says("goose") == "quick"
    assert status(served)["state"] == "BUILDING"
    eventually(lambda: "Building duck==1.0" in str(status(served)["building"]))
    shown = run("status", "duck", "--state", served.state).stdout
    assert "BUILDING" in shown
    assert "Building duck==1.0" in shown
    answer = ask(served.url, "/e/duck/")
    assert (answer.status, answer.code, answer.all("retry-after")) == (503, "plugin_building", ["5"])
    gate.touch()
    becomes(served, "RUNNING")
    assert served.says("duck") == "version 1.0"
    events = {event["event"] for event in served.daemon.events()}
    assert {"plugin.building", "environment.building", "environment.progress", "environment.built"} <= events
    assert "plugin.not_served" not in events
    assert "Built duck" in run("logs", "duck", "--state", served.state).stdout


def test_a_change_of_what_it_asks_for_loses_no_request(pond: Pond, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    pond.duck("1.0")
    pond.slow_duck("2.0", gate)
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "RUNNING")
    with Load(served.url, "/e/duck/", is_a_version, 4) as load:
        pond.ask_for("duck", "duck==2.0")
        eventually(lambda: "environment of a new worker" in str(status(served)["replacing"]))
        assert served.says("duck") == "version 1.0"
        gate.touch()
        served.comes_to_say("duck", "version 2.0", 30)
    assert load.wrong == {}
    assert len(kept(served)) == 2


def test_a_build_that_fails_leaves_the_old_version_alone_and_shows_uvs_words(pond: Pond) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "RUNNING")
    before = kept(served)
    with Load(served.url, "/e/duck/", is_a_version, 2) as load:
        pond.ask_for("duck", "duck==7.0")
        served.daemon.wait_for_log("environment_failed", 20)
        eventually(lambda: status(served)["failure"] is not None)
    assert load.wrong == {}
    found = status(served)
    failure = found["failure"]
    assert isinstance(failure, dict)
    assert (found["state"], failure["code"]) == ("RUNNING", "environment_failed")
    assert "there is no version of duck==7.0" in failure["message"]
    assert any(line.startswith("error: No solution found") for line in failure["lines"])
    assert kept(served) == before


def test_a_first_version_that_cannot_be_built_is_fatal_until_it_asks_for_something_else(pond: Pond) -> None:
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "FATAL")
    pond.duck("2.0")
    pond.ask_for("duck", "duck==2.0")
    served.comes_to_say("duck", "version 2.0", 30)


def test_requirements_that_cannot_be_understood_refuse_the_folder(pond: Pond) -> None:
    pond.put("duck", "six is good")
    served = pond.serve()
    assert "requirements.txt:1: 'six is good' is no requirement" in str(status(served)["findings"])


def test_where_no_interpreter_fits_it_is_told_what_was_found(pond: Pond) -> None:
    pond.put("duck", "duck")
    manifest = pond.shop.plugins / "duck" / "manifest.yaml"
    manifest.write_text(manifest.read_text().replace(f"'{HERE}'", "'3.99'"))
    served = pond.serve()
    failure = becomes(served, "FATAL")["failure"]
    assert isinstance(failure, dict)
    assert failure["code"] == "interpreter_missing"
    assert f"found: {HERE}" in failure["message"]


def test_plugins_with_equal_needs_share_an_environment(pond: Pond) -> None:
    pond.duck("1.0")
    for name in ("duck", "mallard", "teal"):
        pond.put(name, f"duck==1.0  # {name}")
    served = pond.serve()
    for name in ("duck", "mallard", "teal"):
        becomes(served, "RUNNING", name)
    assert len(kept(served)) == 1
    built = [event for event in served.daemon.events() if event["event"] == "environment.built"]
    assert len(built) == 1


# Pins of what the worker needs


def test_a_plugin_may_pin_an_msgpack_that_is_of_no_use_to_the_worker(pond: Pond) -> None:
    """It has nothing of msgpack but the name, so that a worker that took it would end at once."""
    wheel(pond.packages, "msgpack", "0.6.2", {"msgpack/__init__.py": "version = 'of the plugin'"})
    wheel(pond.packages, "duck", "1.0", {"duck.py": "import msgpack\nsays = str(msgpack.version)"}, ["msgpack==0.6.2"])
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "RUNNING")
    assert served.says("duck") == "of the plugin"


@pytest.fixture
def pypi(pond: Pond, monkeypatch: pytest.MonkeyPatch) -> Pond:
    """With the real packages."""
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    try:
        with socket.create_connection(("pypi.org", 443), timeout=5):
            pass
    except OSError:
        pytest.skip("PyPI cannot be reached: which real versions workers run with is NOT TESTED")
    return pond


def test_workers_run_with_every_werkzeug_and_msgpack_that_the_documents_promise(pypi: Pond) -> None:
    pins = {
        "oldest": "werkzeug==2.1.2\nmsgpack==1.0.5",
        "older": "werkzeug==2.3.8\nmsgpack==1.0.8",
        "old": "werkzeug==3.0.6",
        "newest": "werkzeug\nmsgpack",
        "private": "werkzeug==3.1.3\nmsgpack==0.6.2",
    }
    expected = {}
    for name, lines in pins.items():
        pypi.put(name, lines)
        (pypi.shop.plugins / name / "says.py").write_text(VERSIONS)
        expected[name] = [line.partition("==")[2] for line in lines.split("\n")]
    served = pypi.serve(uv_find_links=None)
    for name, versions in expected.items():
        becomes(served, "RUNNING", name)
        answer = ask(served.url, f"/e/{name}/")
        assert answer.status == 200, served.daemon.log()
        found = dict(zip(answer.body.decode().split(), versions, strict=False))
        assert all(actual == pinned or not pinned for actual, pinned in found.items()), (name, found)
        assert answer.all("set-cookie") == ["a=1; Path=/", "b=2; Path=/"]


# Ends


def test_a_plugin_that_is_removed_ends_its_build_with_all_that_it_started(pond: Pond, tmp_path: Path) -> None:
    pond.slow_duck("1.0", tmp_path / "gate")
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    eventually((tmp_path / "pid").exists)
    pond.shop.remove("duck")
    served.daemon.wait_for_log("environment.cancelled", 10)
    eventually(lambda: not is_alive(int((tmp_path / "pid").read_text())))
    eventually(lambda: kept(served) == [])


def test_a_daemon_that_ends_ends_its_builds(pond: Pond, tmp_path: Path) -> None:
    pond.slow_duck("1.0", tmp_path / "gate")
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    eventually((tmp_path / "pid").exists)
    assert served.daemon.stop() == 0
    assert not is_alive(int((tmp_path / "pid").read_text()))
    assert kept(served) == []


def test_a_daemon_that_is_killed_takes_its_builds_along_and_the_next_one_begins_anew(
    pond: Pond, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    pond.slow_duck("1.0", gate)
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    eventually((tmp_path / "pid").exists)
    served.daemon.kill()
    eventually(lambda: not is_alive(int((tmp_path / "pid").read_text())))
    left = kept(served)
    assert left
    gate.touch()
    again = pond.serve()
    becomes(again, "RUNNING")
    assert not set(left) & set(kept(again))
    assert again.says("duck") == "version 1.0"


# A full disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, mounted, with room for some environments."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=32m", "test", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a full disk needs a small one, and only root, with leave to mount, can have that")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_full_is_told_and_the_old_version_goes_on(
    pond: Pond, disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pond.duck("1.0")
    pond.duck("2.0")
    pond.put("duck", "duck==1.0")
    starter = DaemonStarter(tmp_path_factory.mktemp)
    state = disk / "state"
    served = Served(starter(pond.shop.plugins, state=state, uv_find_links=pond.packages), state)
    becomes(served, "RUNNING")
    whole = kept(served)
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        free = os.statvfs(disk)
        file.write(b"x" * (free.f_bavail * free.f_bsize - 1024 * 1024))
    with Load(served.url, "/e/duck/", is_a_version, 2) as load:
        pond.ask_for("duck", "duck==2.0")
        served.daemon.wait_for_log("environment_disk_full", 30)
        eventually(lambda: status(served)["failure"] is not None)
        eventually(lambda: kept(served) == whole)
    assert load.wrong == {}
    assert "endpointd env prune" in str(status(served)["failure"])
    ballast.unlink()
    pond.ask_for("duck", "duck==2.0  # again")
    served.comes_to_say("duck", "version 2.0", 30)
    starter.stop_all()


# Without a network


def test_a_start_needs_no_packages_when_the_environment_is_there(pond: Pond, monkeypatch: pytest.MonkeyPatch) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    becomes(served, "RUNNING")
    served.daemon.stop()
    for path in pond.packages.iterdir():
        path.unlink()
    monkeypatch.setenv("UV_CACHE_DIR", "/nowhere")
    again = pond.serve(offline=True)
    assert again.says("duck") == "version 1.0"
    assert not [event for event in again.daemon.events() if str(event["event"]).startswith("environment.")]


def test_what_was_built_before_is_used(pond: Pond) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    folder, state = pond.shop.plugins / "duck", pond.state
    done = run("env", "build", "--uv-find-links", pond.packages, "--state", state, folder)
    assert (done.returncode, done.stdout.split(":")[0]) == (0, "test/duck"), done.stderr
    assert " is built" in done.stdout
    assert " + duck==1.0" in done.stderr
    served = pond.serve()
    assert served.says("duck") == "version 1.0"
    assert not [event for event in served.daemon.events() if event["event"] == "environment.building"]
    assert " is there" in run("env", "build", "--state", state, folder).stdout


def test_what_cannot_be_built_before_is_told_and_the_others_are(pond: Pond) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    pond.put("goose", "goose==1.0")
    folders = [pond.shop.plugins / name for name in ("goose", "nowhere", "duck")]
    done = run("env", "build", "--uv-find-links", pond.packages, "--state", pond.state, *folders)
    assert done.returncode == 1
    assert "goose was not found" in done.stderr
    assert "nowhere is not a directory" in done.stderr
    assert "test/duck: the environment " in done.stdout


@pytest.mark.parametrize("is_locked", [False, True])
def test_a_cache_that_is_carried_over_will_do(
    pond: Pond, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_locked: bool
) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    folder = pond.shop.plugins / "duck"
    with index_of(pond.packages) as url:
        if is_locked:
            (folder / "requirements.txt").unlink()
            (folder / "pyproject.toml").write_text(PROJECT)
            subprocess.run([find_uv_bin(), "lock", "-q", "--default-index", url], cwd=folder, check=True)
        flags = ["--uv-index-url", url, "--uv-cache", tmp_path / "cache"]
        done = run("env", "build", *flags, "--state", tmp_path / "elsewhere", folder)
        assert done.returncode == 0, done.stderr
    carried = shutil.copytree(tmp_path / "cache", tmp_path / "carried", symlinks=True)
    served = pond.serve(offline=True, uv_index_url=url, uv_cache=carried)
    becomes(served, "RUNNING")
    assert served.says("duck") == "version 1.0"


def test_wheels_that_are_carried_over_will_do(pond: Pond, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pond.duck("1.0")
    pond.put("duck", "duck==1.0")
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    folder, state = pond.shop.plugins / "duck", pond.state
    done = run("env", "build", "--offline", "--uv-find-links", pond.packages, "--state", state, folder)
    assert done.returncode == 0, done.stderr
    served = pond.serve(offline=True)
    assert served.says("duck") == "version 1.0"
    assert not [event for event in served.daemon.events() if event["event"] == "environment.building"]


# Keeping


def test_what_nobody_needs_is_shown_and_removed(pond: Pond) -> None:
    for version in ("1.0", "2.0", "3.0", "4.0"):
        pond.duck(version)
    pond.put("duck", "duck==1.0")
    served = pond.serve(releases_kept=1)
    becomes(served, "RUNNING")
    for version in ("2.0", "3.0", "4.0"):
        pond.ask_for("duck", f"duck=={version}")
        served.comes_to_say("duck", f"version {version}", 30)
    eventually(lambda: len(status(served)["previous_releases"]) == 2)  # type: ignore[arg-type]
    listed = json.loads(run("env", "list", "--json", "--state", served.state).stdout)
    assert [one["plugins"] for one in listed] == [[], *[["test/duck"]] * 3]
    assert all(one["bytes"] > 10_000 for one in listed)
    shown = run("env", "list", "--state", served.state).stdout
    assert "4 environments" in shown
    assert "nobody" in shown
    would = run("env", "prune", "--dry-run", "--state", served.state).stdout
    assert "1 environment, " in would
    assert len(kept(served)) == 4
    gone = json.loads(run("env", "prune", "--json", "--state", served.state).stdout)
    assert [one["key"] for one in gone] == [listed[0]["key"]]
    assert kept(served) == sorted(one["key"] for one in listed[1:])
    with Admin(served.state) as admin:
        admin.act("rollback", "test/duck", {"release": None})
    assert served.says("duck") == "version 3.0"
