"""Clients in a process of their own, so that whoever measures beside them has an interpreter to itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from errors import BenchError
from workloads import BENCH


class ClientProcess:
    """A script that says when it has begun, goes on until it is told that it is enough, and then tells what came."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def enough(self) -> Any:  # noqa: ANN401 - JSON
        """End the clients; return what they tell."""
        output, _ = self._process.communicate("enough\n")
        return json.loads(output)


@contextmanager
def clients(script: str, *arguments: object) -> Iterator[ClientProcess]:
    """Yield the process of a script in this folder, when it has said that it has begun; BenchError: it ends before."""
    command = [sys.executable, str(BENCH / script), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "begun\n":
                raise BenchError(f"{script} ended with status {process.wait()}")
            yield ClientProcess(process)
        finally:
            process.kill()
