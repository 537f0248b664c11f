"""The plugins that the tests of HTTP talk to (their sources lie in `sources/`), and daemons that serve them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.gates import Gate
from support.plugins import write_plugin

SOURCES = Path(__file__).parent / "sources"
METHODS = ("HEAD", "GET", "POST", "PUT", "DELETE", "OPTIONS")
LAB = [
    *((method, "/saw", "saw.py") for method in METHODS),
    *((method, "/saw/<path:rest>", "saw.py") for method in METHODS),
    ("GET", "/word/<word>/end", "saw.py"),
    ("GET", "/slash/", "saw.py"),
    ("POST", "/slash/", "saw.py"),
    ("GET", "/only/get", "saw.py"),
    ("PUT", "/only/put", "saw.py"),
    ("DELETE", "/only/put", "saw.py"),
    *((method, "/answer/<name>", "answers.py") for method in ("GET", "POST")),
    *((method, "/stream/<name>", "streams.py") for method in ("GET", "POST")),
    *((method, "/failure/<name>", "failures.py") for method in ("GET", "POST")),
    ("GET", "/hits", "hits.py"),
    *((method, "/hits/<name>", "hits.py") for method in METHODS),
]
MOUNTED = [(method, path, "mounted.py") for method in METHODS for path in ("/", "/<path:p>")]


def write_lab(folder: Path, name: str = "lab") -> Path:
    """Write a plugin with everything that the tests ask for."""
    return _write(folder, name, LAB, {"greeting": {"type": "text-input", "default": "hello", "label": {"en_US": "G"}}})


def write_mounted(folder: Path, name: str = "mounted") -> Path:
    """Write a plugin that is an application from elsewhere."""
    return _write(folder, name, MOUNTED, None)


def _write(folder: Path, name: str, interfaces: list[tuple[str, str, str]], settings: dict[str, object] | None) -> Path:
    names = {source for _, _, source in interfaces}
    return write_plugin(folder, name, {each: (SOURCES / each).read_text() for each in names}, interfaces, settings)


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonStarter]:
    """Starts daemons that live as long as the tests do."""
    starter = DaemonStarter(tmp_path_factory.mktemp)
    yield starter
    starter.stop_all()


@pytest.fixture(scope="session")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the plugins `lab` and `mounted`."""
    folder = tmp_path_factory.mktemp("plugins")
    write_lab(folder)
    write_mounted(folder)
    return folder


@pytest.fixture(scope="session")
def daemon(start: DaemonStarter, plugins: Path) -> RunningDaemon:
    """One daemon for all tests that need no settings of their own."""
    return start(plugins)


@pytest.fixture(scope="session")
def url(daemon: RunningDaemon) -> str:
    return daemon.url


@pytest.fixture
def make_gate(tmp_path: Path) -> Iterator[Callable[[str], Gate]]:
    """Makes gates, which are opened for good when the test is over."""
    gates: list[Gate] = []

    def make(name: str) -> Gate:
        gates.append(Gate(tmp_path / name))
        return gates[-1]

    yield make
    for gate in gates:
        gate.__exit__(None, None, None)
