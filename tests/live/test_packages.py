"""Packages and a real daemon: served at once, upgraded without a lost request, refused by policy, and never half."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd.admin.client import Client as Admin
from endpointd.admin.documents import PACKAGE
from endpointd.errors import OperatorError
from endpointd.packages.keys import make_keys, private_key
from endpointd.packages.signing import sign_package
from endpointd.testing import DaemonStarter
from live.conftest import Served, Shop, source
from support.load import Load
from support.packages import LIMITS, linked, package_of, zipped
from support.raw_http import Answer

BROKEN = "raise SystemExit('no')"


class Works:
    """Where packages are made, and a daemon that they are brought to."""

    def __init__(self, root: Path) -> None:
        root.mkdir(exist_ok=True)
        self.shop = Shop(root)
        self.root = root
        self.private, self.public = make_keys(root / "acme")

    def package(self, name: str, text: str, *, signed: bool = False, breaks: bool = False) -> Path:
        folder = self.shop.make(name, text)
        if breaks:
            (folder / "says.py").write_text(BROKEN)
        data = package_of(folder)
        if signed:
            out = io.BytesIO()
            sign_package(io.BytesIO(data), out, private_key(self.private), "community", LIMITS)
            data = out.getvalue()
        file = self.root / f"{name}.difypkg"
        file.write_bytes(data)
        return file


@pytest.fixture(scope="module")
def works(tmp_path_factory: pytest.TempPathFactory) -> Works:
    return Works(tmp_path_factory.mktemp("works"))


@pytest.fixture(scope="module")
def served(works: Works, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    starter = DaemonStarter(tmp_path_factory.mktemp)
    keys = str(works.public)
    yield Served(starter(works.shop.plugins, state=works.root / "state", package_keys=keys), works.root / "state")
    starter.stop_all()


def endpointd(served: Served, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", "-m", "endpointd", *map(str, arguments), "--state", str(served.state)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def install(served: Served, package: bytes, *, replace: bool = False) -> dict[str, object]:
    with Admin(served.state) as admin:
        answer: dict[str, object] = admin.install(io.BytesIO(package), len(package), PACKAGE, replace=replace)
        return answer


def is_a_version(answer: Answer) -> bool:
    return answer.status == 200 and answer.body.startswith(b"version ")


def hidden(works: Works) -> list[str]:
    return [one.name for one in works.shop.plugins.iterdir() if one.name.startswith(".")]


def test_a_package_is_served_at_once_and_an_unsigned_one_is_told_of(served: Served, works: Works) -> None:
    done = endpointd(served, "install", works.package("duck", "version 1"), "--json")

    assert (done.returncode, "not signed" in done.stderr) == (0, True)
    document = json.loads(done.stdout)
    assert (document["state"], document["package"][:16], document["signer"]) == ("RUNNING", "test/duck:0.1.0@", None)
    assert served.says("duck") == "version 1"
    assert hidden(works) == []
    assert "plugin.installed" in served.daemon.wait_for_log("plugin.installed")


def test_an_upgrade_under_load_loses_nothing(served: Served, works: Works) -> None:
    install(served, works.package("upgraded", "version 1").read_bytes())
    with Load(served.url, "/e/upgraded/", is_a_version) as load:
        done = endpointd(served, "install", "--replace", works.package("upgraded", "version 2", signed=True))
        assert (done.returncode, done.stderr) == (0, "")
        assert served.says("upgraded") == "version 2"
    assert load.wrong == {}
    assert load.answered > 20


def test_an_upgrade_that_does_not_run_changes_nothing_and_loses_nothing(served: Served, works: Works) -> None:
    install(served, works.package("kept", "version 1").read_bytes())
    with Load(served.url, "/e/kept/", is_a_version) as load:
        done = endpointd(served, "install", "--replace", works.package("kept", "version 2", breaks=True))
        assert (done.returncode, "[plugin_failed]" in done.stderr) == (1, True)
    assert load.wrong == {}
    assert served.says("kept") == "version 1"
    assert source("version 1") == (works.shop.plugins / "kept" / "says.py").read_text()
    assert hidden(works) == []


def test_a_plugin_that_does_not_run_leaves_nothing(served: Served, works: Works) -> None:
    with pytest.raises(OperatorError, match="plugin_failed"):
        install(served, works.package("stillborn", "version 1", breaks=True).read_bytes())
    assert not (works.shop.plugins / "stillborn").exists()
    assert not list((served.state / "releases").glob("*stillborn*"))
    assert hidden(works) == []


@pytest.mark.parametrize(
    ("package", "code"),
    [
        (b"PK\3\4 is no zip", "package_invalid"),
        (zipped(("manifest.yaml", b""), ("../../evil", b"evil")), "package_unsafe"),
        (zipped(("manifest.yaml", b""), linked("evil", "/etc/passwd")), "package_unsafe"),
        (zipped(("bomb", bytes(40 * 1024 * 1024))), "package_too_large"),
        (zipped(("readme", b"no plugin")), "plugin_invalid"),
    ],
)
def test_what_is_hostile_leaves_nothing(package: bytes, code: str, served: Served, works: Works) -> None:
    before = sorted(works.shop.plugins.iterdir())
    with pytest.raises(OperatorError) as refused:
        install(served, package)
    assert refused.value.code == code
    assert sorted(works.shop.plugins.iterdir()) == before
    assert not (works.root / "evil").exists()


def test_with_require_nothing_unsigned_is_installed(works: Works, tmp_path: Path) -> None:
    strict = DaemonStarter(lambda name: tmp_path / name)
    (tmp_path / "plugins").mkdir()
    state = tmp_path / "state"
    try:
        daemon = strict(tmp_path / "plugins", state=state, package_keys=str(works.public), package_signatures="require")
        there = Served(daemon, state)
        for given in (works.package("strict", "version 1"), works.shop.make("strict", "version 1")):
            done = endpointd(there, "install", given)
            assert (done.returncode, "[package_untrusted]" in done.stderr) == (1, True)
        assert list((tmp_path / "plugins").iterdir()) == []
        done = endpointd(there, "install", works.package("strict", "version 1", signed=True), "--json")
        assert (done.returncode, json.loads(done.stdout)["signer"]) == (0, str(works.public))
        assert there.says("strict") == "version 1"
    finally:
        strict.stop_all()


def test_a_daemon_that_is_killed_while_it_installs_has_the_old_version_when_it_is_back(tmp_path: Path) -> None:
    """The new version's worker does not get ready: the daemon dies while it waits for that."""
    works = Works(tmp_path / "works")
    starter = DaemonStarter(lambda name: tmp_path / name)
    state = works.root / "state"
    try:
        served = Served(starter(works.shop.plugins, state=state), state)
        install(served, works.package("duck", "version 1").read_bytes())
        folder = works.shop.make("duck", "version 2")
        (folder / "says.py").write_text("import threading\nprint('it hangs', flush=True)\nthreading.Event().wait()\n")
        (works.root / "hangs.difypkg").write_bytes(package_of(folder))
        command = [sys.executable, "-P", "-m", "endpointd", "install", "--replace", str(works.root / "hangs.difypkg")]
        waiting = subprocess.Popen([*command, "--state", str(state)], stderr=subprocess.PIPE, text=True)
        served.daemon.wait_for_log("it hangs")
        assert "it hangs" in (works.shop.plugins / "duck" / "says.py").read_text()
        served.daemon.kill()
        assert "daemon_gone" in waiting.communicate(timeout=30)[1]
        again = Served(starter(works.shop.plugins, state=state), state)
        assert again.says("duck") == "version 1"
        assert hidden(works) == []
        assert "duck" in again.daemon.wait_for_log("installations.undone")
    finally:
        starter.stop_all()
