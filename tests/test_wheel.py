"""The wheel: what is in it, and that it is enough, in clean environments that do not see the source tree."""

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from endpointd import __version__
from support.eventually import eventually
from support.own_wheel import ROOT, build_wheel
from support.raw_http import ask

SOURCES = {"endpointd": "daemon", "endpointd_wire": "worker", "endpointd_worker": "worker"}
VERSIONS = ("3.11", "3.12", "3.13")
INSTALL_SECONDS = 400.0
START_SECONDS = 60.0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


def find(version: str) -> str | None:
    """One of this version, if there is one that really runs: pyenv has names on the path for those that it lacks."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for candidate in (sys.executable, f"python{version}", *map(str, pyenv)):
        try:
            said = subprocess.run([candidate, "--version"], capture_output=True, text=True, check=False).stdout
        except OSError:
            continue
        if said.startswith(f"Python {version}."):
            return candidate
    return None


@pytest.fixture(scope="module")
def environments(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, "Environment"]]:
    """A clean one for each version that is there, all being made at the same time."""
    folder = tmp_path_factory.mktemp("environments")
    made = {version: Environment(folder / version, python, wheel) for version in VERSIONS if (python := find(version))}
    yield made
    for environment in made.values():
        environment.process.kill()
        environment.process.wait()


class Environment:
    """A virtual environment that the wheel and what it asks for are being installed in."""

    def __init__(self, folder: Path, python: str, wheel: Path) -> None:
        self.bin = folder / "bin"
        subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=INSTALL_SECONDS)
        # By pip once, as most users do; the others by uv, in a second instead of half a minute.
        if python == sys.executable:
            install = ["-m", "pip", "--python", str(self.bin / "python"), "--quiet", "install", "--no-compile"]
        else:
            install = ["-m", "uv", "pip", "install", "--quiet", "--python", str(self.bin / "python")]
        self.process = subprocess.Popen([sys.executable, *install, str(wheel)], cwd=folder, stdin=subprocess.DEVNULL)

    def await_installation(self) -> None:
        assert self.process.wait(INSTALL_SECONDS) == 0


def test_all_of_the_packages_is_in_it_and_nothing_else(wheel: Path) -> None:
    expected = {
        path.relative_to(ROOT / source).as_posix()
        for package, source in SOURCES.items()
        for path in (ROOT / source / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    metadata = {name for name in names if name.startswith(f"endpointd-{__version__}.dist-info/")}
    shared = {f"endpointd-{__version__}.data/data/share/man/man1/endpointd.1"}
    assert names - metadata == expected | shared
    assert "endpointd_worker/sdk/dify_plugin/__init__.py" in expected
    assert "endpointd/store/migrations/env.py" in expected
    assert {"endpointd/py.typed", "endpointd_wire/py.typed"} <= expected
    assert {Path(name).name for name in metadata} == {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "LICENSE"}


def test_what_it_says_of_itself(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read(f"endpointd-{__version__}.dist-info/METADATA").decode()
        entries = archive.read(f"endpointd-{__version__}.dist-info/entry_points.txt").decode()
    assert "Requires-Python: >=3.11" in text.splitlines()
    assert "endpointd = endpointd.cli:main" in entries


@pytest.mark.timeout(INSTALL_SECONDS + 2 * START_SECONDS)
@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_enough_to_serve_a_plugin(environments: dict[str, Environment], version: str, tmp_path: Path) -> None:
    if version not in environments:
        pytest.skip(f"NOT TESTED: the wheel on Python {version}, of which there is none on this machine")
    environment = environments[version]
    environment.await_installation()
    endpointd = str(environment.bin / "endpointd")
    assert run(tmp_path, endpointd, "--version") == f"endpointd {__version__}\n"
    (tmp_path / "plugins").mkdir()
    run(tmp_path, endpointd, "new", "fresh", "--author", "acme", "--directory", "plugins")
    shutil.copytree(ROOT / "plugins" / "duck", tmp_path / "plugins" / "duck")
    with serving(tmp_path, endpointd) as url:
        assert ask(url, "/e/duck/duck/donald").body == b"donald <br>"
        listed = json.loads(run(tmp_path, endpointd, "list", "--json"))
    assert {one["id"]: one["state"] for one in listed}["endpointd/duck"] == "RUNNING"
    where = run(tmp_path, str(environment.bin / "python"), "-c", "import endpointd; print(endpointd.__file__)")
    assert Path(where).is_relative_to(environment.bin.parent)


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=START_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def serving(folder: Path, endpointd: str) -> Iterator[str]:
    """Serves `folder`/plugins; gives the URL."""
    log = folder / "log"
    with log.open("w") as output:
        command = [endpointd, "serve", "--listen", "127.0.0.1:0", "--log-format", "json"]
        daemon = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stderr=output)
    try:

        def ready() -> list[str]:
            events = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
            return [event["url"] for event in events if event["event"] == "ready"]

        eventually(lambda: bool(ready()) or daemon.poll() is not None, START_SECONDS)
        assert daemon.poll() is None, log.read_text()
        yield ready()[0]
    finally:
        daemon.terminate()
        assert daemon.wait(START_SECONDS) == 0, log.read_text()
