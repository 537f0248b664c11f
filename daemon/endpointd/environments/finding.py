"""Finds the machine's interpreters: those that the settings name, the host's own, and those on PATH and in the folders
of uv and pyenv. Each is run once to ask for its version."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

import structlog

from endpointd.environments.interpreters import OLDEST, Interpreter

ASK = 15.0
"""Seconds that an interpreter has to answer."""

AT_ONCE = 4

_NAME = re.compile(r"python3\.(\d+)")
_QUESTION = """
import json, os, platform, sys, sysconfig
print(json.dumps({
    "implementation": platform.python_implementation(),
    "version": sys.version_info[:3],
    "abi": sysconfig.get_config_var("SOABI") or "",
    "platform": sysconfig.get_platform(),
}))
"""

Mark: TypeAlias = tuple[str, int, int, int]

log = structlog.get_logger()


class Finder:
    """Blocking, to be used by one thread at a time. An interpreter's answer is cached until its file changes."""

    def __init__(self) -> None:
        self._known: dict[Mark, Interpreter | None] = {}

    def find(self, configured: Iterable[Path], environ: Mapping[str, str]) -> list[Interpreter]:
        """The usable interpreters in order of preference: configured ones, the host's, those on PATH, uv's, pyenv's. If
        several paths lead to the same file, it is listed once."""
        paths = [path for path in _candidates(configured, environ) if os.access(path, os.X_OK)]
        marks = dict.fromkeys(mark for mark in map(_mark, paths) if mark is not None)
        new = [mark for mark in marks if mark not in self._known]
        with ThreadPoolExecutor(AT_ONCE) as threads:
            self._known.update(zip(new, threads.map(lambda mark: ask(Path(mark[0])), new), strict=True))
        return [one for mark in marks if (one := self._known[mark]) is not None]


def _mark(path: Path) -> Mark | None:
    real = os.path.realpath(path)
    try:
        state = os.stat(real)
    except OSError:
        return None
    return real, state.st_ino, state.st_size, state.st_mtime_ns


def _candidates(configured: Iterable[Path], environ: Mapping[str, str]) -> Iterator[Path]:
    for path in configured:
        yield path / "bin" / "python3" if path.is_dir() else path
    yield Path(sys.executable)
    home = Path(environ.get("HOME") or "/")
    pyenv = Path(environ.get("PYENV_ROOT") or home / ".pyenv")
    for name in environ.get("PATH", "").split(os.pathsep):
        # The shims start the interpreters below `pyenv/versions`, which are found below, or fail.
        if name and Path(name) != pyenv / "shims":
            yield from _in_folder(Path(name))
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    managed = Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    for place in (managed, pyenv / "versions", Path("/opt/pyenv/versions")):
        for folder in sorted(_entries(place)):
            yield from _in_folder(folder / "bin")


def _in_folder(folder: Path) -> Iterator[Path]:
    """The interpreters in a folder, the newest version first. `python3` is the last: it is one of the others, or its
    name does not tell its version."""
    named = [(int(found[1]), path) for path in _entries(folder) if (found := _NAME.fullmatch(path.name))]
    yield from (path for minor, path in sorted(named, reverse=True) if minor >= OLDEST[1])
    yield folder / "python3"


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def ask(path: Path) -> Interpreter | None:
    """Run the interpreter to learn its version; None if it is not CPython, does not start, or takes too long."""
    try:
        answer = json.loads(_run([str(path), "-I", "-S", "-c", _QUESTION]))
        if answer["implementation"] != "CPython":
            return None
        major, minor, micro = answer["version"]
        return Interpreter(path, (major, minor, micro), answer["abi"], answer["platform"])
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError) as error:
        log.debug("interpreter.unusable", path=str(path), because=str(error))
        return None


def _run(command: list[str]) -> bytes:
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            output, _ = process.communicate(timeout=ASK)
        except subprocess.TimeoutExpired:
            # The whole process group, because children of the process may keep the pipe open.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return output
