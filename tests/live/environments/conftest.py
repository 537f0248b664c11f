"""A shop whose plugins ask for packages that are made here, and what is asked of the daemon that serves it."""

import http.server
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from endpointd.admin.client import Client as Admin
from live.conftest import Served, Shop
from support.eventually import eventually
from support.raw_http import Answer
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
