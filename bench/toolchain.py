"""Prepares what the benchmark needs: its virtual environments, and wrk."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin

from endpointd.environments.finding import Finder
from errors import BenchError

# The SDK and the Python version of its own runtime; the SDK requires Python 3.12.
SDK = "dify_plugin==0.10.*"
SDK_PYTHON = (3, 12)

BENCH = Path(__file__).parent
PROJECT = BENCH.parent
ENVIRONMENT = BENCH / ".venv"
SDK_ENVIRONMENT = BENCH / ".venv-sdk"
REQUIREMENTS = BENCH / "requirements.txt"


def prepare_environment() -> Path:
    """Return the ``bin`` directory of ``bench/.venv``, which has the peers and this project.

    The environment is created on first use, and again if its inputs have changed. All servers share it, so that they
    run on the same interpreter and the same werkzeug. Raises BenchError if installing fails.
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
    """Return the interpreter of ``bench/.venv-sdk``, which has the original SDK.

    The environment is created on first use, with uv. Raises BenchError if that fails.
    """
    python = SDK_ENVIRONMENT / "bin" / "python"
    stamp = SDK_ENVIRONMENT / "made-from"
    if not stamp.exists() or stamp.read_text("utf-8") != SDK:
        make(SDK_ENVIRONMENT, sdk_interpreter(), "--compile-bytecode", SDK)
        stamp.write_text(SDK, "utf-8")
    return python


def make(environment: Path, interpreter: Path | str, *wanted: str | Path) -> None:
    """Create an environment with uv, and install packages in it (``wanted``: arguments of ``uv pip install``).

    Raises BenchError if that fails.
    """
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
    """Return an interpreter of version ``SDK_PYTHON`` on this machine, or else the version, which uv downloads."""
    found = (one for one in Finder().find((), os.environ) if one.minor == SDK_PYTHON)
    return next((one.path for one in found), ".".join(map(str, SDK_PYTHON)))


def find_wrk() -> str:
    """Return the path of wrk; as root on Debian, install it if necessary. Raises BenchError if it is missing."""
    if found := shutil.which("wrk"):
        return found
    if os.geteuid() == 0 and shutil.which("apt-get"):
        # The update is necessary because a new container has no package lists.
        for command in (["update"], ["install", "--yes", "--no-install-recommends", "wrk"]):
            subprocess.run(["apt-get", "--quiet", *command], check=False, stdout=sys.stderr)
    if found := shutil.which("wrk"):
        return found
    raise BenchError("wrk, the load generator, is missing; install it: sudo apt-get install wrk")
