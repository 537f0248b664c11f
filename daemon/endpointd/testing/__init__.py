"""A pytest plugin for authors of endpoint plugins.

The fixture `load_plugin` runs a plugin in a real worker process, without HTTP, and returns a client for it.
`start_daemon` runs the whole daemon as a separate process.

pytest imports this file in every run, so everything that the fixtures need is imported only when one of them is used.
"""

from collections.abc import Generator, Iterator
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from endpointd.sessions.errors import CallRefused
    from endpointd.testing.client import PluginClient
    from endpointd.testing.daemon import DaemonStarter, RunningDaemon
    from endpointd.testing.loader import PluginLoader
    from endpointd.testing.relay import AnswerBroken
    from endpointd.testing.session import FakeSession
else:
    _HOMES = {
        "AnswerBroken": "testing.relay",
        "CallRefused": "sessions.errors",
        "DaemonStarter": "testing.daemon",
        "FakeSession": "testing.session",
        "PluginClient": "testing.client",
        "PluginLoader": "testing.loader",
        "RunningDaemon": "testing.daemon",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"endpointd.{_HOMES[name]}"), name)


__all__ = [
    "AnswerBroken",
    "CallRefused",
    "DaemonStarter",
    "FakeSession",
    "PluginClient",
    "PluginLoader",
    "RunningDaemon",
]

_LOADER = pytest.StashKey["PluginLoader"]()


@pytest.fixture
def start_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator["DaemonStarter"]:
    """Starts real daemons on 127.0.0.1 with ports of their own, and stops them when the test is over."""
    yield from _starter(tmp_path_factory)


@pytest.fixture(scope="module")
def start_daemon_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator["DaemonStarter"]:
    """The same for all tests of a file: the daemons are stopped after the last one."""
    yield from _starter(tmp_path_factory)


def _starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator["DaemonStarter"]:
    from endpointd.testing.daemon import DaemonStarter

    starter = DaemonStarter(tmp_path_factory.mktemp)
    yield starter
    starter.stop_all()


@pytest.fixture
def load_plugin(request: pytest.FixtureRequest) -> Iterator["PluginLoader"]:
    """Loads plugins, each in a worker process of its own, and ends them when the test is over."""
    from endpointd.testing.loader import PluginLoader

    loader = PluginLoader(request.path)
    request.node.stash[_LOADER] = loader
    yield loader
    loader.stop_all()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the logs of the test's plugins to the report of a failed test, because they have the tracebacks."""
    report = yield
    loader = item.stash.get(_LOADER, None)
    if loader is not None and report.failed:
        report.sections += loader.sections()
    return report
