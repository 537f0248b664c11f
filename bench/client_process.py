"""Runs clients in a separate process, so that they do not share the GIL with the measuring code."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from errors import BenchError
from workloads import BENCH


class ClientProcess:
    """A script that prints a line when it has begun, runs until it is told to stop, and then prints its results."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def enough(self) -> Any:  # noqa: ANN401 - JSON
        """Stop the clients; return their results."""
        output, _ = self._process.communicate("enough\n")
        return json.loads(output)


@contextmanager
def clients(script: str, *arguments: object) -> Iterator[ClientProcess]:
    """Run a script of this folder; yield its process when it has begun. Raises BenchError if it ends before that."""
    command = [sys.executable, str(BENCH / script), *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != "begun\n":
                raise BenchError(f"{script} ended with status {process.wait()}")
            yield ClientProcess(process)
        finally:
            process.kill()
