"""What belongs to a request goes with it, and does not wait for a collection: one of those stops everybody's requests
for milliseconds, and until then the memory of thousands of requests is not used again.

werkzeug's router leaves some objects for each path that it looks for; a path that is remembered, or has no variables,
does not go there.
"""

import os
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.raw_http import Client, plain

REQUESTS = 200

COLLECTOR = """
import gc
import threading

def collect():
    while True:
        with open({asked!r}):
            found = gc.collect()
        with open({told!r}, "w") as file:
            file.write(str(found))

threading.Thread(target=collect, daemon=True).start()
"""
"""Runs in the daemon: collects when somebody opens the one pipe, and tells on the other how much it was."""


class Collecting:
    """A daemon that collects its garbage when it is told to."""

    def __init__(self, start: DaemonStarter, plugins: Path, folder: Path) -> None:
        self._asked, self._told = folder / "asked", folder / "told"
        os.mkfifo(self._asked)
        os.mkfifo(self._told)
        (folder / "sitecustomize.py").write_text(COLLECTOR.format(asked=str(self._asked), told=str(self._told)))
        self.daemon: RunningDaemon = start(plugins, env={"PYTHONPATH": str(folder)})

    def collect(self) -> int:
        """The objects that only a collection could free."""
        with self._asked.open("w"):
            pass
        return int(self._told.read_text())


@pytest.fixture(scope="module")
def collecting(start: DaemonStarter, plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Collecting:
    return Collecting(start, plugins, tmp_path_factory.mktemp("site"))


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(plain("/e/lab/answer/list"), id="direct"),
        pytest.param(plain("/e/lab/saw", method="POST", body=b"x" * 100), id="with-a-body"),
        pytest.param(plain("/e/lab/saw", method="POST", body=b"x" * 300_000), id="with-a-large-body"),
        pytest.param(plain("/e/lab/failure/exception"), id="failed"),
        pytest.param(plain("/e/nobody/"), id="for-nobody"),
        pytest.param(plain("/healthz"), id="the-hosts-own"),
    ],
)
def test_requests_leave_nothing_to_collect(collecting: Collecting, request_: bytes) -> None:
    def ask(times: int) -> None:
        with Client(collecting.daemon.url) as client:
            for _ in range(times):
                client.send(request_)
                client.read()

    ask(1)
    collecting.collect()
    ask(REQUESTS)
    assert collecting.collect() < REQUESTS
