"""Dify's SDK from PyPI, in several versions, each with an interpreter that it runs on.

Environments are made with uv alone, once for each process of the tests, out of uv's cache where that has the packages.
"""

import os
import subprocess
from functools import cache
from pathlib import Path

import pytest
import uv

from endpointd.environments.finding import Finder
from endpointd.environments.interpreters import Interpreter

NEWEST = "0.10.*"
"""For Python 3.12 and newer."""

FOR_311 = "0.7.4"
"""The last for Python 3.11: from 0.8 on it asks for 3.12."""

OLD = "0.2.4"
"""As real plugins still pin it."""

ALL = (FOR_311, OLD, NEWEST)


@cache
def interpreter_for(version: str) -> Interpreter:
    """The oldest that this version runs on. Skips the test where there is none."""
    oldest = (3, 12) if version == NEWEST else (3, 11)
    # What the old ones need besides (greenlet, tiktoken) has no wheels for interpreters that came later.
    newest = (3, 99) if version == NEWEST else (3, 12)
    fitting = [one for one in _interpreters() if oldest <= one.minor <= newest]
    if not fitting:
        pytest.skip(f"dify_plugin {version} needs a Python from {oldest} to {newest}; there is none on this machine")
    return min(fitting, key=lambda one: one.minor)


@cache
def _interpreters() -> list[Interpreter]:
    return Finder().find((), os.environ)


class SdkEnvironments:
    """Environments with the SDK, by its version, in folders below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._made: dict[str, Path] = {}

    def python(self, version: str) -> Path:
        """The interpreter of an environment that has this version, and what a worker needs besides."""
        if version not in self._made:
            self._made[version] = self._make(version)
        return self._made[version]

    def _make(self, version: str) -> Path:
        folder = self._root / version.rstrip(".*")
        base = interpreter_for(version).path
        python = folder / "bin" / "python"
        _uv("venv", "--quiet", "--python", str(base), str(folder))
        _uv("pip", "install", "--quiet", "--python", str(python), f"dify_plugin=={version}", "msgpack>=1.0")
        return python


def _uv(*arguments: str) -> None:
    done = subprocess.run([uv.find_uv_bin(), *arguments], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
