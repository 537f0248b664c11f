"""Running the command line as its users do: as a process of its own."""

import os
import subprocess
import sys
from typing import Protocol

import pytest

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
