"""Running the command line as its users do: as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Protocol

import pytest

from support.fake_control import BROKEN, NEKO, REFUSED, AdminHost, FakeControl

_TIMEOUT_SECONDS = 60


class Run(Protocol):
    """Runs `endpointd` with arguments, and with variables besides those of the test's own process."""

    def __call__(self, *arguments: object, **variables: str) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def run() -> Run:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ENDPOINTD_")}

    def run_endpointd(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", "-m", "endpointd", *map(str, arguments)],
            env=inherited | {"COLUMNS": "200"} | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )

    return run_endpointd


@pytest.fixture
def control() -> FakeControl:
    return FakeControl(NEKO, BROKEN, REFUSED)


@pytest.fixture
def host(tmp_path: Path, control: FakeControl) -> Iterator[AdminHost]:
    state = tmp_path / "state"
    state.mkdir()
    with AdminHost(state, control) as host:
        yield host


@pytest.fixture
def ask(run: Run, host: AdminHost) -> Run:
    """Runs a command against the daemon."""

    def run_against(*arguments: object, **variables: str) -> CompletedProcess[str]:
        return run(*arguments, ENDPOINTD_STATE=str(host.state), **variables)

    return run_against
