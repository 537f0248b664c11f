"""A directory of plugins that changes while a daemon serves it."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.catalogue import WORKERS
from support.eventually import eventually
from support.plugins import write_plugin
from support.raw_http import ask

SOURCE = """
from dify_plugin import Endpoint
from werkzeug import Response

class Says(Endpoint):
    def _invoke(self, r, values, settings):
        return Response({text!r})
"""


def source(text: str) -> str:
    """The source of an interface that says `text`."""
    return SOURCE.format(text=text)


class Shop:
    """The plugins directory, and how people change it."""

    def __init__(self, root: Path) -> None:
        self.plugins = root / "plugins"
        self.bench = root / "bench"
        """Where folders are made before they are put into the directory."""
        self.plugins.mkdir()
        self.bench.mkdir()

    def make(self, name: str, text: str, folder: str | None = None) -> Path:
        """A plugin outside the directory: GET / says `text`, GET /wait waits."""
        target = self.bench / (folder or name)
        shutil.rmtree(target, ignore_errors=True)
        sources = {"says.py": source(text), "waits.py": (WORKERS / "waits.py").read_text()}
        made = write_plugin(self.bench, f"{name}", sources, [("GET", "/", "says.py"), ("GET", "/wait", "waits.py")])
        return made if folder is None else made.rename(target)

    def put(self, name: str, text: str, folder: str | None = None) -> Path:
        """The same, moved into the directory in one step."""
        made = self.make(name, text, folder)
        return made.rename(self.plugins / made.name)

    def edit(self, folder: str, text: str) -> None:
        """Write the source anew, as editors do: beside it, then over it."""
        file = self.plugins / folder / "says.py"
        new = file.with_name(".says.py.swp")
        new.write_text(source(text))
        os.replace(new, file)

    def remove(self, folder: str) -> None:
        shutil.rmtree(self.plugins / folder)


class Served:
    """The daemon, as clients see it."""

    def __init__(self, daemon: RunningDaemon, state: Path) -> None:
        self.daemon = daemon
        self.state = state

    @property
    def url(self) -> str:
        return self.daemon.url

    def says(self, name: str) -> str:
        """What GET / answers: the text, or the code of the problem."""
        answer = ask(self.daemon.url, f"/e/{name}/")
        return answer.body.decode() if answer.status == 200 else answer.code

    def comes_to_say(self, name: str, text: str, seconds: float = 10.0) -> float:
        """Wait until it does; returns after how many seconds."""
        try:
            return eventually(lambda: self.says(name) == text, seconds)
        except AssertionError as error:
            raise AssertionError(f"{name} says {self.says(name)!r}, not {text!r}:\n{self.daemon.log()}") from error


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def serve(shop: Shop, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Starts a daemon on the shop."""
    starter = DaemonStarter(tmp_path_factory.mktemp)
    state = tmp_path / "state"
    yield lambda **settings: Served(starter(shop.plugins, state=state, **settings), state)
    starter.stop_all()
