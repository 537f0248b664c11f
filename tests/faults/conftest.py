"""Daemons that serve the catalogue: one for a module, or one for a test that changes it."""

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.catalogue import unexplained, write_catalogue

Serve: TypeAlias = Callable[..., RunningDaemon]

# Every death counts as the first, so that one test's deaths do not delay the next test's worker.
SETTINGS: dict[str, Any] = {"restart_stable": 0}


@pytest.fixture(scope="module")
def serve_for_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Serves plugins of the catalogue until the module's last test; see `_serving`."""
    yield from _serving(tmp_path_factory)


@pytest.fixture
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Serves plugins of the catalogue for one test; see `_serving`."""
    yield from _serving(tmp_path_factory)


def _serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Gives `serve(*names, **settings)`. In the end every daemon stops well, with nothing unexplained in its log."""
    starter = DaemonStarter(tmp_path_factory.mktemp)
    served: list[tuple[RunningDaemon, tuple[str, ...]]] = []

    def serve(*names: str, **settings: Any) -> RunningDaemon:  # noqa: ANN401 - whatever the daemon takes
        plugins = write_catalogue(tmp_path_factory.mktemp("plugins"), *names)
        daemon = starter(plugins, **{**SETTINGS, **settings})
        served.append((daemon, names))
        return daemon

    yield serve
    starter.stop_all()
    for daemon, names in served:
        assert unexplained(daemon, *names) == []
