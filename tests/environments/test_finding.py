"""Finding the machine's interpreters: real ones, in folders as uv and pyenv have them, and what is none."""

import os
import platform
import sys
from pathlib import Path

import pytest

from endpointd.environments import finding
from endpointd.environments.finding import Finder, ask
from endpointd.environments.interpreters import Interpreter
from support.eventually import eventually
from support.processes import is_running

REAL = Path(os.path.realpath(sys.executable))
VERSION = tuple(map(int, platform.python_version_tuple()[:2]))
FAKE = """#!/bin/sh
echo '{{"implementation": "{implementation}", "version": [3, {minor}, 1], "abi": "abi3{minor}", "platform": "linux"}}'
"""


def fake(path: Path, minor: int = 12, implementation: str = "CPython") -> Path:
    """Something that answers as an interpreter would."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FAKE.format(minor=minor, implementation=implementation))
    path.chmod(0o755)
    return path


def find(configured: list[Path] | None = None, **environ: str) -> list[Path]:
    return [one.path for one in Finder().find(configured or [], {"HOME": "/nowhere", **environ})]


def test_a_real_one_tells_who_it_is() -> None:
    found = ask(REAL)
    assert found is not None
    assert found.minor == VERSION
    assert found.abi.startswith("cpython-3")
    assert found.platform.startswith("linux-")


def test_the_hosts_own_is_always_there() -> None:
    assert REAL in find()


def test_each_place_is_looked_through_in_order(tmp_path: Path) -> None:
    named = fake(tmp_path / "named", 14)
    installed = fake(tmp_path / "installed" / "bin" / "python3", 14)
    on_path = [fake(tmp_path / "path" / f"python3.{minor}", minor) for minor in (13, 12)]
    managed = fake(tmp_path / ".local/share/uv/python/cpython-3.13.1-linux/bin/python3.13", 13)
    pyenv = fake(tmp_path / ".pyenv/versions/3.12.7/bin/python3.12")
    found = find([named, installed.parents[1]], HOME=str(tmp_path), PATH=f"/nowhere::{tmp_path / 'path'}")
    mine = [path for path in found if path.is_relative_to(tmp_path)]
    assert mine == [named, installed, *on_path, managed, pyenv]
    assert found.index(REAL) == 2


def test_folders_may_be_elsewhere(tmp_path: Path) -> None:
    managed = fake(tmp_path / "uv" / "cpython-3.13.1-linux" / "bin" / "python3.13", 13)
    pyenv = fake(tmp_path / "pyenv" / "versions" / "3.12.7" / "bin" / "python3.12")
    found = find(UV_PYTHON_INSTALL_DIR=str(tmp_path / "uv"), PYENV_ROOT=str(tmp_path / "pyenv"))
    assert [path for path in found if path.is_relative_to(tmp_path)] == [managed, pyenv]


def test_one_that_has_several_names_is_there_once(tmp_path: Path) -> None:
    real = fake(tmp_path / "python3.12")
    (tmp_path / "python3").symlink_to(real)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "python3.12").symlink_to(real)
    found = find([real], PATH=f"{tmp_path}:{tmp_path / 'other'}")
    assert found.count(real) == 1


def test_pyenvs_own_programs_are_not_asked(tmp_path: Path) -> None:
    shims = fake(tmp_path / ".pyenv" / "shims" / "python3.12")
    assert shims not in find(HOME=str(tmp_path), PATH=str(shims.parent))


@pytest.mark.parametrize(
    "program",
    [
        FAKE.format(implementation="PyPy", minor=12),
        "#!/bin/sh\nexit 127\n",
        "#!/bin/sh\necho hello\n",
        "#!/bin/sh\necho '{}'\n",
        "#!/bin/sh\necho '[]'\n",
        "#!/nowhere\n",
        "\x7fELF",
    ],
)
def test_what_is_none_is_passed_over(tmp_path: Path, program: str) -> None:
    path = tmp_path / "python3.12"
    path.write_text(program)
    path.chmod(0o755)
    assert ask(path) is None
    assert path not in find([path, tmp_path / "missing"])


def test_one_that_does_not_answer_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finding, "ASK", 0.5)
    path = tmp_path / "python3.12"
    path.write_text(f"#!/bin/sh\nsleep 1000 &\necho $! > {tmp_path}/pid\nwait\n")
    path.chmod(0o755)
    assert ask(path) is None
    pid = int((tmp_path / "pid").read_text())
    # It has been killed, which takes a moment.
    eventually(lambda: not is_running(pid))


def test_one_is_asked_once_and_again_when_it_is_another(tmp_path: Path) -> None:
    log = tmp_path / "log"
    path = fake(tmp_path / "python3.12")
    path.write_text(path.read_text() + f"echo asked >> {log}\n")
    finder = Finder()

    def minors() -> list[int]:
        found: list[Interpreter] = finder.find([path], {})
        return [one.version[1] for one in found if one.path == path]

    assert minors() == minors() == [12]
    assert log.read_text() == "asked\n"
    path.unlink()
    fake(path, 13)
    assert minors() == [13]
