"""Restores a backup, while no daemon runs. Blocking; the caller holds the lock of the state directory.

Everything is unpacked and checked first, beside where it belongs. From the moment at which the first thing is moved to
the last one there is a mark in the state directory, with which no daemon starts: a restore that was interrupted is done
again, and is whole then. What was there before is moved aside and never removed.
"""

import hashlib
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from endpointd.backups.contents import (
    DATABASE,
    KEY,
    LIST,
    PINS,
    RELEASES,
    BackupError,
    Contents,
    damaged,
    read_contents,
)
from endpointd.backups.saving import Places, Told
from endpointd.errors import OperatorError
from endpointd.folders.disk import write_out
from endpointd.installing.staging import PREFIX, stage, unpack_archive
from endpointd.premises import RESTORING
from endpointd.store.inspection import inspect_file
from endpointd.store.schema import HISTORY

MAX_LIST = 16 * 1024 * 1024
ASIDE = ".before-restore-"


@dataclass(frozen=True, slots=True)
class Restored:
    """The result. `aside` are the hidden folders that contain what was there before."""

    contents: Contents
    aside: tuple[Path, ...]


def restore(file: Path, places: Places, told: Told = lambda *_: None, *, replace: bool) -> Restored:
    """Restore the backup in `file`. `told` is called with the progress. Nothing is changed before everything was
    checked. Raises `OperatorError`."""
    is_begun = (places.state / RESTORING).exists()
    if not (replace or is_begun):
        _expect_nothing_there(places)
    with _explained(places), tempfile.TemporaryDirectory(prefix=".restore-", dir=places.state) as name:
        folder = Path(name)
        contents = _unpack(file, folder, told)
        _check(contents, folder, places)
        staged = _stage(contents, folder, places)
        try:
            return Restored(contents, _put(contents, folder, staged, places))
        finally:
            for path in staged.values():
                shutil.rmtree(path, ignore_errors=True)


def _expect_nothing_there(places: Places) -> None:
    there = [places.state / "pins.json", *([places.database] if places.database else [])]
    found = [path for path in there if path.exists()]
    if places.plugins.is_dir():
        found += places.plugin_folders()
    if found:
        raise OperatorError(
            "restore_over_something",
            f"there is something already: {', '.join(map(str, found[:5]))}",
            "say --replace to put the backup in its place; what is there is kept aside",
        )


def _unpack(file: Path, folder: Path, told: Told) -> Contents:
    """Unpack the backup into `folder` and verify all checksums. Raises `BackupError`; OSError if `folder` cannot be
    written to."""
    try:
        with _Source(file) as source, tarfile.open(fileobj=source, mode="r|gz") as archive:  # type: ignore[call-overload]
            members = iter(archive)
            first = next(members, None)
            if first is None or first.name != LIST or not first.isreg() or first.size > MAX_LIST:
                raise damaged(f"it does not begin with its list ({LIST})")
            contents = read_contents(_content(archive, first))
            missing = dict(contents.files)
            for member in members:
                told(source.done, source.size)
                expected = missing.pop(member.name, None)
                if expected is None or not member.isreg():
                    raise damaged(f"{member.name!r} is not in its list, or is there twice, or is no file")
                if _extract(archive, member, folder / member.name) != expected:
                    raise damaged(f"{member.name!r} is not as it was saved")
    except (tarfile.TarError, EOFError) as error:
        raise damaged(str(error)) from error
    if missing:
        raise damaged(f"{next(iter(missing))!r} is missing")
    return contents


class _Source:
    """The file of a backup, opened for reading. Its errors are raised as `BackupError`, to distinguish them from those
    of the folder to which it is unpacked."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._explained():
            self._file = path.open("rb")
            self.size = os.fstat(self._file.fileno()).st_size
        self.done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        with self._explained():
            data = self._file.read(size)
        self.done += len(data)
        return data

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise BackupError(
                "backup_unreadable", f"{self._path} cannot be read: {error.strerror}", "name a backup"
            ) from error


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = archive.extractfile(member)
    assert content is not None
    return content.read()


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    """Extract one file; returns its SHA-256. The names were checked when the list was read."""
    content = archive.extractfile(member)
    assert content is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as file:
        while piece := content.read(256 * 1024):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


def _check(contents: Contents, folder: Path, places: Places) -> None:
    if contents.database == "sqlite" and (places.database is None or DATABASE not in contents.files):
        raise BackupError(
            "backup_of_another_kind",
            "the backup has an SQLite database, and the configuration names a PostgreSQL server",
            "restore it with the configuration that it was made with",
        )
    if DATABASE in contents.files:
        inspect_file(folder / DATABASE, HISTORY)
    if contents.has_key and places.key.is_credential:
        raise BackupError(
            "secret_key_fixed",
            f"the key is in the backup, and here it comes from systemd ({places.key.path})",
            "restore it with another secret_key, or make the backup without --with-key",
        )


def _stage(contents: Contents, folder: Path, places: Places) -> dict[str, Path]:
    """Unpack the plugins beside their final places. Returns their folders, by name."""
    places.plugins.mkdir(parents=True, exist_ok=True)
    staged: dict[str, Path] = {}
    try:
        for name, plugin in contents.plugins.items():
            with (folder / name).open("rb") as archive:
                staged[plugin] = stage(places.plugins, partial(unpack_archive, archive))[0]
    except BaseException:
        for path in staged.values():
            shutil.rmtree(path, ignore_errors=True)
        raise
    return staged


def _put(contents: Contents, folder: Path, staged: dict[str, Path], places: Places) -> tuple[Path, ...]:
    mark = places.state / RESTORING
    mark.touch()
    write_out(places.state)
    aside = _Aside(time.strftime(f"{ASIDE}%Y%m%d-%H%M%S-"))
    _move_away(contents, staged, places, aside)
    _bring_files(contents, folder, places)
    for name, path in staged.items():
        path.rename(places.plugins / name)
    for name in (name for name in contents.files if name.startswith(RELEASES)):
        _bring_release(folder / name, places.state / name.removesuffix(".tar"))
    for place in {places.state, places.plugins, *([places.database.parent] if places.database else [])}:
        write_out(place)
    mark.unlink()
    return tuple(aside.folders.values())


def _move_away(contents: Contents, staged: dict[str, Path], places: Places, aside: "_Aside") -> None:
    if places.database is not None:
        for end in ("", "-wal", "-shm"):
            aside.move(places.database.with_name(places.database.name + end))
    aside.move(places.state / "pins.json")
    if contents.has_key:
        aside.move(places.key.path)
    left = [path for path in places.plugins.iterdir() if path.name.startswith(PREFIX) and path not in staged.values()]
    for item in [*places.plugin_folders(), *left]:
        aside.move(item)


def _bring_files(contents: Contents, folder: Path, places: Places) -> None:
    if places.database is not None:
        places.database.parent.mkdir(parents=True, exist_ok=True)
    targets = {DATABASE: places.database, PINS: places.state / "pins.json", KEY: places.key.path}
    for name, target in targets.items():
        if name in contents.files and target is not None:
            _bring(folder / name, target)


def _bring(source: Path, target: Path) -> None:
    """Move a file, also to another file system. There must be nothing at `target`."""
    beside = target.with_name(f".{target.name}.restored")
    shutil.copyfile(source, beside)
    beside.chmod(0o600)
    beside.replace(target)


def _bring_release(archive: Path, target: Path) -> None:
    if target.exists():
        # A release is named by its content, so the one that is there is the same.
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open("rb") as file:
        new, _ = stage(target.parent.parent, partial(unpack_archive, file))
    new.rename(target)


class _Aside:
    """Moves existing files into a hidden folder beside them, whose name begins with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self.folders: dict[Path, Path] = {}

    def move(self, path: Path) -> None:
        if os.path.lexists(path):
            if path.parent not in self.folders:
                self.folders[path.parent] = Path(tempfile.mkdtemp(prefix=self._prefix, dir=path.parent))
            path.rename(self.folders[path.parent] / path.name)


@contextmanager
def _explained(places: Places) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OperatorError(
            "restore_failed",
            f"the backup cannot be put into {places.state} and {places.plugins}: {error.strerror}",
            "make room, or let this user write there, and restore it again",
        ) from error
