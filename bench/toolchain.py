"""Gets ready what the benchmark runs with: a virtual environment of its own, and wrk."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from endpointd.environments.finding import Finder
from errors import BenchError

# What the SDK's own runtime runs on; the SDK asks for Python 3.12.
SDK = "dify_plugin==0.10.*"
SDK_PYTHON = (3, 12)

BENCH = Path(__file__).parent
PROJECT = BENCH.parent
ENVIRONMENT = BENCH / ".venv"
SDK_ENVIRONMENT = BENCH / ".venv-sdk"
REQUIREMENTS = BENCH / "requirements.txt"


def prepare_environment() -> Path:
    """Return the ``bin`` directory of ``bench/.venv``, which holds the peers and this project.

    It is made on first use, and anew when what it is made from has changed. One environment for all, so that
    every server runs on the same interpreter and the same werkzeug. Raises BenchError if installing fails.
    """
    stamp = ENVIRONMENT / "made-from"
    made_from = "\n".join(
        [sys.version, REQUIREMENTS.read_text("utf-8"), (PROJECT / "pyproject.toml").read_text("utf-8")]
    )
    programs = ENVIRONMENT / "bin"
    if stamp.exists() and stamp.read_text("utf-8") == made_from:
        return programs
    make(ENVIRONMENT, sys.executable, "-r", REQUIREMENTS, "-e", PROJECT)
    stamp.write_text(made_from, "utf-8")
    return programs


def prepare_sdk() -> Path:
    """Return the interpreter of ``bench/.venv-sdk``, which holds the original SDK.

    Made on first use, with uv. Raises BenchError if that fails.
    """
    python = SDK_ENVIRONMENT / "bin" / "python"
    stamp = SDK_ENVIRONMENT / "made-from"
    if not stamp.exists() or stamp.read_text("utf-8") != SDK:
        make(SDK_ENVIRONMENT, sdk_interpreter(), "--compile-bytecode", SDK)
        stamp.write_text(SDK, "utf-8")
    return python


def make(environment: Path, interpreter: Path | str, *wanted: str | Path) -> None:
    """Make an environment of an interpreter, with uv, and install what is wanted; raise BenchError if that fails."""
    uv, python = find_uv_bin(), environment / "bin" / "python"
    commands: tuple[list[str | Path], ...] = (
        [uv, "venv", "--quiet", "--clear", "--python", interpreter, environment],
        [uv, "pip", "install", "--quiet", "--python", python, *wanted],
    )
    for command in commands:
        if subprocess.run(command, check=False).returncode:
            raise BenchError(
                f"cannot install what is measured into {environment}: uv says why above; then run this again"
            )


def sdk_interpreter() -> Path | str:
    """Return an interpreter of ``SDK_PYTHON`` that endpointd finds on this machine, or what uv is to fetch."""
    found = (one for one in Finder().find((), os.environ) if one.minor == SDK_PYTHON)
    return next((one.path for one in found), ".".join(map(str, SDK_PYTHON)))


def find_wrk() -> str:
    """Return the path of wrk; root on a Debian gets it installed. Raises BenchError if it is not to be had."""
    if found := shutil.which("wrk"):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        # Without the update a fresh container knows no packages at all.
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "wrk"]):
            subprocess.run(["apt-get", "--quiet", *command], check=False, stdout=sys.stderr)
    if found := shutil.which("wrk"):
        return found
    raise BenchError("wrk, the load generator, is missing; install it: sudo apt-get install wrk")
