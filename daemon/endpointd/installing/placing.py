"""Puts a folder in the place of another one provisionally, until it is known whether it stays there.

Everything that is necessary to undo this is written to the disk before: if the daemon is killed meanwhile, the next one
restores the previous state (`recover`). At no moment is the folder missing or incomplete, except briefly where the file
system cannot exchange two names.

The directory `.placing-…/` in the plugins directory contains `record` (the folder's name, and the device and inode
number of what was put there), `other` (the new folder, and after the exchange the old one), and `old` (the old folder)
if the file system cannot exchange two names.
"""

import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from endpointd.folders.disk import exchange
from endpointd.folders.leftout import is_plugin_folder

PREFIX = ".placing-"
_RECORD, _OTHER, _OLD = "record", "other", "old"

Mark: TypeAlias = tuple[int, int]
"""Device and inode number, which identify a folder; they stay the same when it is moved."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A folder that was put in its place provisionally. Exactly one of `keep` and `undo` must be called, once.
    Blocking; both raise OSError."""

    home: Path
    target: Path
    mark: Mark

    def keep(self) -> None:
        """Keep the new folder, and remove what was there before."""
        (self.home / _RECORD).unlink()
        _remove(self.home)

    def undo(self) -> None:
        """Put back what was there before, unless somebody else has put something there meanwhile."""
        _take_back(self.home, self.target, self.mark)
        self.keep()


def place(staged: Path, target: Path) -> Placement:
    """Move the folder `staged` to `target`, in the same directory, replacing what is there. Blocking. After an OSError,
    `target` is as it was and `staged` is removed."""
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
    """Undo the placements that a killed daemon has left unfinished, and yield the names of their folders. To be called
    before anything else is done in the directory. Records that another user may have written are ignored, because they
    would let that user move folders. Raises OSError."""
    try:
        homes = sorted(plugins.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # The error is reported when the plugins are read.
        return
    for home in homes:
        if home.name.startswith(PREFIX):
            with _held(home) as held:
                if held is None:
                    continue
                found = _read_record(held)
                if found is not None:
                    name, mark = found
                    _take_back(held, plugins / name, mark)
                    yield name
            _remove(home)


@contextmanager
def _held(home: Path) -> Iterator[Path | None]:
    """A path that leads to this very folder, even if others replace it meanwhile. None if it is not a folder into which
    only this process's user could write."""
    try:
        number = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        yield None
        return
    try:
        state = os.fstat(number)
        is_own = state.st_uid == os.geteuid() and not state.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
        yield Path(f"/proc/self/fd/{number}") if is_own else None
    finally:
        os.close(number)


def _swap(home: Path, target: Path) -> None:
    other = home / _OTHER
    if not os.path.lexists(target):
        other.rename(target)
    elif not exchange(other, target):
        target.rename(home / _OLD)
        other.rename(target)


def _take_back(home: Path, target: Path, mark: Mark) -> None:
    """Restore the previous state, no matter at which step the placement, or an earlier attempt to undo it, has
    stopped."""
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
    """Write the record, and make sure that it and its directory entries are on the disk."""
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


def _read_record(home: Path) -> tuple[str, Mark] | None:
    """The name of the folder, and what was put there. None if nothing was moved yet or nothing has to be moved back, or
    if the record was not written by this module."""
    try:
        record = json.loads((home / _RECORD).read_text(encoding="utf-8"))
        device, number = record["mark"]
        name = str(record["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_name = bool(name) and name == Path(name).name and is_plugin_folder(name)
    return (name, (device, number)) if is_name else None


def _remove(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
