"""Programs that log as the daemon does, and what is read of them."""

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

PRELUDE = """\
import logging, os, sys, warnings
import structlog
from endpointd.logs import logs
log = structlog.get_logger()
"""


def run(
    program: str,
    *arguments: str,
    stdout: int | None = None,
    stderr: int | None = None,
    env: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PRELUDE + program, *arguments]
    return subprocess.run(command, stdout=stdout, stderr=stderr, env=env, text=True, timeout=60, check=True)


def logged(program: str) -> str:
    outcome = run(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert outcome.stdout == ""
    return outcome.stderr


def events(program: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in logged(f"logs.configure('json', 'info')\n{program}").splitlines()]
