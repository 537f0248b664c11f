"""A folder put in the place of another, until it is known whether it stays there.

What is needed to take it back is on the disk before anything moves: a daemon that is killed meanwhile finds it when it
starts again, and puts everything back as it was (`recover`). At no moment is there half a folder, nor none.

In the plugins directory `.placing-…/` holds `record` (which folder it is about, and by which file number to know what
was put there), `other` (the new folder, and once it is exchanged the old one), and `old` only where the file system
cannot exchange two names at once.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from endpointd.disk import exchange

PREFIX = ".placing-"
_RECORD, _OTHER, _OLD = "record", "other", "old"

Mark: TypeAlias = tuple[int, int]
"""Device and file number: what a folder is known by, whatever its name. They stay the same when it is moved."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Blocking. Raises `OSError`. Either `keep` or `undo` is called, once."""

    home: Path
    target: Path
    mark: Mark

    def keep(self) -> None:
        """It stays, and what was there before is removed."""
        (self.home / _RECORD).unlink()
        _remove(self.home)

    def undo(self) -> None:
        """What was there before is there again; what somebody else has put there meanwhile stays."""
        _take_back(self.home, self.target, self.mark)
        self.keep()


def place(staged: Path, target: Path) -> Placement:
    """Let `staged`, in the same directory, be `target`, in the place of what is there. Raises `OSError`, and then
    `target` is as it was, and `staged` is removed."""
    mark = _mark_of(staged)
    placement = Placement(Path(tempfile.mkdtemp(prefix=PREFIX, dir=target.parent)), target, mark)
    try:
        _write_record(placement)
        staged.rename(placement.home / _OTHER)
        _swap(placement.home, target)
    except BaseException:
        with suppress(OSError):
            placement.undo()
        _remove(placement.home)
        _remove(staged)
        raise
    return placement


def recover(plugins: Path) -> Iterator[str]:
    """Undo what a daemon that was killed was about to do; the names of the folders that it was about. Before anything
    else is done in the directory. Raises `OSError`."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for home in sorted(plugins.iterdir()):
            if home.name.startswith(PREFIX):
                placement = _read_record(home)
                if placement is not None:
                    _take_back(home, placement.target, placement.mark)
                    yield placement.target.name
                _remove(home)


def _swap(home: Path, target: Path) -> None:
    other = home / _OTHER
    if not os.path.lexists(target):
        other.rename(target)
    elif not exchange(other, target):
        target.rename(home / _OLD)
        other.rename(target)


def _take_back(home: Path, target: Path, mark: Mark) -> None:
    """Whatever was done, and whatever of this was done already."""
    is_placed = os.path.lexists(target) and _mark_of(target) == mark
    if os.path.lexists(home / _OLD):
        if is_placed:
            target.rename(home / _OTHER)
        if not os.path.lexists(target):
            (home / _OLD).rename(target)
    elif is_placed and os.path.lexists(home / _OTHER):
        exchange(home / _OTHER, target)
    elif is_placed:
        target.rename(home / _OTHER)


def _mark_of(folder: Path) -> Mark:
    state = os.lstat(folder)
    return state.st_dev, state.st_ino


def _write_record(placement: Placement) -> None:
    """On the disk, and its name too."""
    with (placement.home / _RECORD).open("x", encoding="utf-8") as file:
        json.dump({"folder": placement.target.name, "mark": placement.mark}, file)
        file.flush()
        os.fsync(file.fileno())
    for folder in (placement.home, placement.home.parent):
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _read_record(home: Path) -> Placement | None:
    """None when nothing had been moved yet, or nothing is to be moved back."""
    try:
        record = json.loads((home / _RECORD).read_text(encoding="utf-8"))
        device, number = record["mark"]
        name = record["folder"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Placement(home, home.parent / name, (device, number))


def _remove(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
