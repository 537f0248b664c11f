"""The environments on the disk, in `<environments>/<key>/`. Each is complete, because it gets this name only then.

A folder whose name begins with "." is being built or removed by the process that holds its lock. Blocking, to be used
in a thread.
"""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from endpointd.folders.disk import exchange, write_out
from endpointd.supervisor.users import Account

RECORD = "endpointd.json"


@dataclass(frozen=True, slots=True)
class Record:
    """What is recorded about an environment when it is built: the version of its Python, the file with the requirements
    (`source`), the folder for which it was built first (`first`), when it was built (`made_at`, in seconds since the
    epoch), and how many `seconds` that took."""

    python: str
    source: str
    first: str
    made_at: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Stored:
    """An existing environment, and its size on the disk. A file that several environments share (hard links) is counted
    only for the first of them."""

    key: str
    record: Record
    bytes: int


def python_of(folder: Path) -> Path:
    return folder / "bin" / "python"


class Shelf:
    """The environments in the directory `root`, which is created when it is needed."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def path(self, key: str) -> Path:
        return self.root / key

    def present(self, key: str) -> Path | None:
        """The interpreter of the environment `key`; None if there is no such environment, or if it cannot be used
        because the interpreter on which it is based was removed."""
        folder = self.path(key)
        python = python_of(folder)
        return python if os.access(python, os.X_OK) and (folder / RECORD).is_file() else None

    def stored(self) -> list[Stored]:
        """All environments, the oldest first."""
        seen: set[int] = set()
        found = []
        for key in _names(self.root):
            record = _read_record(self.path(key) / RECORD)
            if not key.startswith(".") and record is not None:
                found.append((key, record))
        found.sort(key=lambda item: item[1].made_at)
        return [Stored(key, record, _size(self.path(key), seen)) for key, record in found]

    def prune(self, keep: Collection[str]) -> list[Stored]:
        """Remove all environments except those with a key in `keep`; returns what was removed. Raises `OSError`."""
        gone = [one for one in self.stored() if one.key not in keep]
        for one in gone:
            place = Workplace(self.root, one.key)
            try:
                self.path(one.key).rename(place.open().path / one.key)
            finally:
                place.remove()
        return gone

    def clean(self) -> None:
        """Remove the folders that killed processes were building or removing."""
        for name in _names(self.root):
            if name.startswith("."):
                _remove_unless_locked(self.root / name)

    def put(self, place: "Workplace", key: str, record: Record) -> Path:
        """Move the environment that was built in `place` to its name; returns its interpreter. If another process has
        done so meanwhile, that one's environment is kept, because it may be in use. Raises `OSError`."""
        there = self.present(key)
        if there is not None:
            return there
        built = place.env
        written = place.path / RECORD
        written.write_text(json.dumps(asdict(record)), encoding="utf-8")
        # A rename replaces whatever a build has put there under this name, and does not follow it if it is a link.
        written.replace(built / RECORD)
        write_out(built)
        target = self.path(key)
        if os.path.lexists(target):
            # An environment whose interpreter was removed. It is deleted together with `place`.
            if not exchange(built, target):
                target.rename(place.path / "before")
                built.rename(target)
        else:
            built.rename(target)
        return python_of(target)


class Workplace:
    """A temporary folder to build in, locked from `open` to `remove`, which deletes it.

    The environment is built in `env`, and `source` has the files that uv reads. These two are given to the account that
    builds. Until `env` is sealed, nothing in them may be opened by path, because the account could put a link there.
    The folder itself remains the daemon's, as does the file `pins` in it, which uv reads.
    """

    def __init__(self, root: Path, key: str) -> None:
        self._root = root
        self._key = key
        self._path: Path | None = None
        self._lock = -1

    def open(self) -> "Workplace":
        """Create and lock the folder. Raises `OSError`."""
        self._root.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._path = Path(tempfile.mkdtemp(prefix=f".{self._key}-", dir=self._root))
        self._lock = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        return self

    def remove(self) -> None:
        """Delete and unlock the folder. May be called if `open` failed or was not called."""
        if self._path is not None:
            shutil.rmtree(self._path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)

    @property
    def path(self) -> Path:
        assert self._path is not None
        return self._path

    @property
    def env(self) -> Path:
        return self.path / "env"

    @property
    def source(self) -> Path:
        return self.path / "source"

    @property
    def pins(self) -> Path:
        return self.path / "pins.txt"

    def fill(self, folder: Path, files: Collection[str]) -> None:
        """Copy the files that uv is to read; if `files` is empty, the whole folder. Raises `OSError`."""
        self.env.mkdir()
        self.env.chmod(0o755)
        if files:
            for name in files:
                target = self.source / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, target)
        else:
            shutil.copytree(folder, self.source, symlinks=True)
        # uv searches the parent folders for its configuration. This empty uv.toml keeps it from finding another one.
        for file in (self.path / "uv.toml", self.pins):
            file.touch()
            file.chmod(0o644)
        self.path.chmod(0o755)

    def hand_over(self, account: Account | None) -> None:
        """Give `source` and `env` to the account that builds; None changes nothing. Raises `OSError`."""
        if account is not None:
            # The content of a folder before the folder itself: once it owns the folder, the account could put a link
            # there.
            for path in (*reversed((self.source, *self.source.rglob("*"))), self.env):
                os.chown(path, account.uid, account.gid, follow_symlinks=False)


def note(python: str, source: str, first: str, began: float) -> Record:
    """The record of an environment whose build ends now. `began` is in seconds since the epoch."""
    now = time.time()
    return Record(python, source, first, now, max(0.0, now - began))


def _names(root: Path) -> list[str]:
    try:
        return sorted(os.listdir(root))
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read_record(path: Path) -> Record | None:
    with suppress(OSError, ValueError, TypeError):
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Record(**document)
    return None


def _remove_unless_locked(path: Path) -> None:
    with suppress(OSError):
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)


def _size(folder: Path, seen: set[int]) -> int:
    return sum(_sizes(folder, seen))


def _sizes(folder: Path, seen: set[int]) -> Iterator[int]:
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            with suppress(OSError):
                state = os.lstat(os.path.join(parent, name))
                if state.st_ino not in seen:
                    seen.add(state.st_ino)
                    yield state.st_blocks * 512
