"""Makes a backup, whether a daemon runs or not. Blocking.

The database is copied with SQLite's backup API, which gives a consistent copy. Plugins are copied as releases are: a
folder that changes meanwhile is read again. If a folder cannot be copied, everything else is saved all the same. The
key of the secrets is only included on request: without it the secrets in a backup cannot be read; with it, whoever has
the file has the secrets.
"""

import hashlib
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from endpointd import __version__
from endpointd.backups.contents import DATABASE, KEY, LIST, PINS, PLUGINS, RELEASES, Contents, read_contents
from endpointd.errors import OperatorError
from endpointd.folders.leftout import is_plugin_folder
from endpointd.folders.tree import FolderChanged, may_be_folder
from endpointd.installing.staging import pack
from endpointd.plugins.pins import Pins
from endpointd.sealing.keyfile import KeyFile
from endpointd.store.faults import explained

Told: TypeAlias = Callable[[int, int], None]
"""A progress callback: the number of bytes that are done, and the total."""

TRIES = 5
"""How often something is read that changes while it is read."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a daemon has what is saved. `database` is None if it is PostgreSQL; `key` is the key file."""

    state: Path
    plugins: Path
    database: Path | None
    key: KeyFile

    def plugin_folders(self) -> list[Path]:
        """What may be plugins, by name; not the state directory, which may lie among them. Raises `OSError`."""
        return sorted(
            path for path in self.plugins.iterdir() if is_plugin_folder(path.name) and not self._is_state(path)
        )

    def _is_state(self, path: Path) -> bool:
        try:
            return path.samefile(self.state)
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class Saved:
    """What was saved. `links` are symbolic links that lead out of their folder and are therefore not in the backup;
    `failed` has an error for each folder that is not in it."""

    contents: Contents
    links: Sequence[str]
    failed: Sequence[OperatorError]


def save(places: Places, file: Path, told: Told = lambda *_: None, *, with_key: bool) -> Saved:
    """Write a backup to `file`, readable only by its owner, which is complete or does not exist. `told` is called with
    the progress. Raises `OperatorError`."""
    if places.database is not None and not _exists(places.database):
        raise OperatorError(
            "backup_nothing",
            f"there is no database {places.database}",
            "name the daemon's state directory with --state",
        )
    try:
        with tempfile.TemporaryDirectory(prefix=".backup-", dir=file.absolute().parent) as name:
            folder = Path(name)
            folders = _Folders(folder)
            plugins = _gather(places, folder, folders, with_key=with_key)
            database = "postgresql" if places.database is None else "sqlite"
            contents = Contents(__version__, time.time(), database, _checksums(folder), plugins)
            (folder / LIST).write_bytes(contents.written())
            # Read the list as a restore would, so that a backup that could not be restored fails now.
            read_contents(contents.written())
            _write(folder, [LIST, *contents.files], file, told)
    except OSError as error:
        raise OperatorError(
            "output_unwritable", f"{file} cannot be written: {error.strerror}", "name another place"
        ) from error
    return Saved(contents, folders.links, folders.failed)


def _gather(places: Places, folder: Path, folders: "_Folders", *, with_key: bool) -> dict[str, str]:
    """Copy everything into `folder`. Returns the names of the plugins' folders, by the names of their archives."""
    _again("the key file", lambda: _keys_and_database(places, folder, with_key=with_key))
    pins = _read(places.state / "pins.json")
    if pins is not None:
        (folder / PINS).write_bytes(pins)
    for plugin_id, pin in Pins(folder / PINS).all().items():
        name = plugin_id.replace("/", "+")
        source = places.state / "releases" / name / pin.release
        if source.is_dir():
            folders.pack(source, f"{RELEASES}{name}/{pin.release}.tar")
    plugins: dict[str, str] = {}
    with _reading(places.plugins):
        items = places.plugin_folders()
    for item in items:
        archive = f"{PLUGINS}{len(plugins) + 1:04}.tar"
        if may_be_folder(item) and folders.pack(item, archive):
            plugins[archive] = item.name
    return plugins


def _keys_and_database(places: Places, folder: Path, *, with_key: bool) -> None:
    """Copy the keys and the database. Raises `FolderChanged` if the keys were changed meanwhile, because they would not
    match the database."""
    before = _read(places.key.path) if with_key else None
    if places.database is not None:
        copy_database(places.database, folder / DATABASE)
    if with_key:
        if before is None:
            raise OperatorError(
                "secret_key_missing", f"there is no key file {places.key.path}", "make the backup without --with-key"
            )
        if _read(places.key.path) != before:
            raise FolderChanged(str(places.key.path))
        (folder / KEY).write_bytes(before)


def copy_database(source: Path, target: Path) -> None:
    """Make a consistent copy of an SQLite database, even while others write to it. The copy is a single file. Raises
    `OperatorError`."""
    target.unlink(missing_ok=True)
    uri = f"{source.absolute().as_uri()}?mode=rw"
    with (
        explained(f"the database {source}", source),
        closing(sqlite3.connect(uri, uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")


class _Folders:
    """Packs folders into files in `target`."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.links: list[str] = []
        self.failed: list[OperatorError] = []

    def pack(self, source: Path, archive: str) -> bool:
        """Pack a folder. Returns whether that was possible."""
        path = self._target / archive
        path.parent.mkdir(parents=True, exist_ok=True)
        links: list[str] = []

        def write() -> None:
            links.clear()
            with path.open("wb") as file:
                pack(source, file, ignored=True, outside=links.append)

        try:
            _again(f"the folder {source}", write)
        except OperatorError as error:
            self.failed.append(error)
            path.unlink()
            return False
        self.links += [str(source / link) for link in links]
        return True


def _again(what: str, act: Callable[[], None]) -> None:
    for _ in range(TRIES):
        try:
            return act()
        except FolderChanged:
            continue
    raise OperatorError("folder_changing", f"{what} was changed while it was read", "try again when it is at rest")


def _exists(path: Path) -> bool:
    with _reading(path):
        return path.exists()


def _read(path: Path) -> bytes | None:
    with _reading(path):
        return path.read_bytes() if path.exists() else None


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn errors into `OperatorError` that name the file that cannot be read."""
    try:
        yield
    except OSError as error:
        raise OperatorError(
            "backup_source_unreadable",
            f"{path} is to be saved and cannot be read: {error.strerror}",
            "make the backup as the daemon's user, and with its configuration (--config)",
        ) from error


def _checksums(folder: Path) -> dict[str, str]:
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _write(folder: Path, names: list[str], target: Path, told: Told) -> None:
    """Write the tar file. It gets its name only when it is complete and on the disk."""
    whole = folder / "whole"
    sizes = {name: (folder / name).stat().st_size for name in names}
    done, total = 0, sum(sizes.values())
    number = os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(number, "wb") as file:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=6) as archive:
            for name in names:
                member = tarfile.TarInfo(name)
                member.size, member.mode, member.mtime = sizes[name], 0o600, int(time.time())
                with (folder / name).open("rb") as content:
                    archive.addfile(member, content)
                done += sizes[name]
                told(done, total)
        file.flush()
        os.fsync(file.fileno())
    whole.replace(target)
