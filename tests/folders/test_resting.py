"""A folder that was moved to its place has been at rest; one that is being filled has not, whatever its times say."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from endpointd.folders import resting
from endpointd.folders.resting import had_rested

LONG = 0.05
"""Seconds; the tests wait for the change times of real files to be so old."""


@pytest.fixture
def made(tmp_path: Path) -> Path:
    folder = tmp_path / "made"
    (folder / "sub").mkdir(parents=True)
    for name in ("manifest.yaml", "sub/source.py"):
        (folder / name).write_text("content")
    while time.time() - os.stat(folder / "sub" / "source.py").st_ctime < LONG + 0.02:
        pass
    return folder


def moved(folder: Path) -> Path:
    return folder.rename(folder.with_name("plugin"))


def test_what_was_moved_as_a_whole_has(made: Path) -> None:
    assert had_rested(moved(made), LONG)


def test_what_was_moved_too_soon_has_not(made: Path) -> None:
    assert not had_rested(moved(made), 60)


def _copy(folder: Path) -> Path:
    """As `cp -a`: with all modification times."""
    return Path(shutil.copytree(folder, folder.with_name("plugin")))


def _write(folder: Path) -> Path:
    file = moved(folder) / "sub" / "source.py"
    before = os.stat(file)
    file.write_text("other")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    return file.parents[1]


def _move_in(folder: Path) -> Path:
    """One file after the other, each moved as a whole."""
    target = folder.with_name("plugin")
    target.mkdir()
    for item in folder.iterdir():
        item.rename(target / item.name)
    os.utime(target, (1, 1))
    return target


def _take_away(folder: Path) -> Path:
    target = moved(folder)
    (target / "manifest.yaml").unlink()
    return target


def _take_away_below(folder: Path) -> Path:
    target = moved(folder)
    (target / "sub" / "source.py").unlink()
    return target


def _stay(folder: Path) -> Path:
    """However long ago it was made."""
    return folder


def _link(folder: Path) -> Path:
    target = folder.with_name("plugin")
    target.symlink_to(folder)
    return target


def _missing(folder: Path) -> Path:
    return folder / "missing"


@pytest.mark.parametrize("way", [_copy, _write, _move_in, _take_away, _take_away_below, _stay, _link, _missing])
def test_what_changes_has_not(made: Path, way: Callable[[Path], Path]) -> None:
    assert not had_rested(way(made), LONG)


def test_a_link_within_may_lead_to_what_changes(made: Path) -> None:
    (made / "link").symlink_to("/tmp")
    while time.time() - os.lstat(made).st_mtime < LONG + 0.02:
        pass
    assert not had_rested(moved(made), LONG)


def test_too_much_is_not_looked_at(made: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resting, "MANY", 1)
    assert not had_rested(moved(made), LONG)
