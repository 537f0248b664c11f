"""Finding the machine's interpreters: those that the settings name, the host's own, and what lies on PATH, in uv's and
in pyenv's folders. Each is asked once who it is."""

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
"""Seconds that an interpreter has to tell who it is."""

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
    """Blocking; for a thread, one at a time. What was asked is remembered as long as the file is the same."""

    def __init__(self) -> None:
        self._known: dict[Mark, Interpreter | None] = {}

    def find(self, configured: Iterable[Path], environ: Mapping[str, str]) -> list[Interpreter]:
        """The best first: configured ones, the host's, PATH's, uv's, pyenv's. Each once, by the file it really is."""
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
        # What is there starts what is in the other folder, or fails.
        if name and Path(name) != pyenv / "shims":
            yield from _in_folder(Path(name))
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    managed = Path(environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")
    for place in (managed, pyenv / "versions", Path("/opt/pyenv/versions")):
        for folder in sorted(_entries(place)):
            yield from _in_folder(folder / "bin")


def _in_folder(folder: Path) -> Iterator[Path]:
    """The newest first; `python3` last: it is one of the others, or of a version that its name does not tell."""
    named = [(int(found[1]), path) for path in _entries(folder) if (found := _NAME.fullmatch(path.name))]
    yield from (path for minor, path in sorted(named, reverse=True) if minor >= OLDEST[1])
    yield folder / "python3"


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def ask(path: Path) -> Interpreter | None:
    """Who the interpreter is; None for what is no CPython, does not start, or takes too long."""
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
            # With what it has started, which may hold the pipe open.
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return output
