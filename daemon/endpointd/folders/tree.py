"""Lists and reads the files of a plugin's folder, without those that are not part of the plugin."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from endpointd.errors import EndpointdError, OperatorError
from endpointd.folders.leftout import ENVIRONMENT_MARK, IGNORE_FILE, MAX_IGNORE, is_left_out

if TYPE_CHECKING:
    from endpointd.folders.ignoring import Ignoring

MAX_FILES = 50_000
"""The most files, folders and links of a plugin. The largest known plugin has 500; a complete `node_modules` is still
possible."""

MAX_BYTES = 1024**3
"""The most bytes of a plugin: enough for a model of some hundred megabytes. Larger data should be kept elsewhere,
because it is copied with every change."""

_CHUNK = 256 * 1024
# A file may have been replaced by a FIFO or a link since it was surveyed: do not block, and do not follow links.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY


class FolderChanged(EndpointdError):
    """The folder was changed while it was read. This is not an error: read it again when it is at rest."""


class ReleaseError(OperatorError):
    """No release can be made from the folder, because of its content or because of the disk."""


class Kind(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Item:
    """One file, folder or symbolic link. `path` is relative to the plugin's folder; `state` is that of `lstat`."""

    path: str
    kind: Kind
    state: os.stat_result

    @property
    def is_executable(self) -> bool:
        return self.kind is Kind.FILE and bool(self.state.st_mode & stat.S_IXUSR)

    @property
    def mark(self) -> tuple[object, ...]:
        """A value that changes with every change of the item. It does not include a folder's times, which also change
        with files that are not part of the plugin."""
        if self.kind is Kind.DIRECTORY:
            return (self.path, self.kind)
        state = self.state
        return (self.path, self.kind, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)


def may_be_folder(path: str | Path) -> bool:
    """Whether the path is a folder, or cannot be examined (a link to where this user has no access, a dead mount): the
    error is reported when it is read."""
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except OSError as error:
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def survey(folder: Path, *, ignored: bool = False) -> list[Item]:
    """All items below `folder`, sorted, each folder before its content. With `ignored`, also those that its ignore file
    excludes. Raises `ReleaseError` or `FolderChanged`."""

    def fail(error: OSError) -> None:
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            raise FolderChanged(str(folder)) from error
        raise unreadable(folder, error) from error

    items, size = [], 0
    for item in walk(folder, fail, ignored=ignored):
        items.append(item)
        size += item.state.st_size if item.kind is Kind.FILE else 0
        if len(items) > MAX_FILES:
            raise _too_large(folder, f"more than {MAX_FILES} files")
        if size > MAX_BYTES:
            raise _too_large(folder, f"files of more than {MAX_BYTES // 1024**2} MiB")
    return sorted(items, key=lambda item: os.fsencode(item.path))


def walk(folder: Path, on_error: Callable[[OSError], None], *, ignored: bool = False) -> Iterator[Item]:
    """All items below `folder`, which may itself be a link, in no particular order. Skips what is neither file, folder
    nor link (sockets, devices), what the folder's ignore file excludes unless `ignored`, and what cannot be read,
    unless `on_error` raises."""
    ignoring = None if ignored else _ignoring_or_tell(folder, on_error)
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        try:
            with os.scandir(folder / parent) as entries:
                items = [_item(parent, entry) for entry in entries if not _is_out(entry)]
        except OSError as error:
            on_error(error)
            continue
        for item in items:
            if item is not None and not (ignoring and ignoring.leaves_out(item.path, is_folder=_is_folder(item))):
                yield item
                if item.kind is Kind.DIRECTORY:
                    waiting.append(item.path)


def ignoring_of(folder: Path) -> "Ignoring | None":
    """The patterns of the folder's ignore file; None if there is none. Raises OSError."""
    path = folder / IGNORE_FILE
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            text = file.read(MAX_IGNORE)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return None
        raise
    # Imported only here, because few folders have an ignore file and the library takes long to import.
    from endpointd.folders.ignoring import Ignoring

    return Ignoring.of(text)


def _ignoring_or_tell(folder: Path, on_error: Callable[[OSError], None]) -> "Ignoring | None":
    try:
        return ignoring_of(folder)
    except OSError as error:
        on_error(error)
        return None


def _is_folder(item: Item) -> bool:
    return item.kind is Kind.DIRECTORY


def _is_out(entry: "os.DirEntry[str]") -> bool:
    if is_left_out(entry.name):
        return True
    return entry.is_dir(follow_symlinks=False) and is_environment(entry.path)


def is_environment(folder: str) -> bool:
    return os.path.lexists(os.path.join(folder, ENVIRONMENT_MARK))


def _item(parent: str, entry: "os.DirEntry[str]") -> Item | None:
    state = entry.stat(follow_symlinks=False)
    kinds = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.LINK}
    kind = kinds.get(stat.S_IFMT(state.st_mode))
    return None if kind is None else Item(os.path.join(parent, entry.name), kind, state)


def opened(folder: Path, item: Item) -> BinaryIO:
    """Open a file for reading. Checks that it is the same file that was surveyed: a folder on its path may have been
    replaced by a link to files that only the daemon may read. Raises `FolderChanged` or `ReleaseError`."""
    try:
        file = os.fdopen(os.open(folder / item.path, _FLAGS), "rb")
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO):
            raise FolderChanged(str(folder)) from error
        raise unreadable(folder, error, item.path) from error
    if not os.path.samestat(os.fstat(file.fileno()), item.state):
        file.close()
        raise FolderChanged(str(folder))
    return file


def pieces(folder: Path, item: Item) -> Iterator[bytes]:
    """The content of a file, but at most the size that it had when it was surveyed, because a file may grow all the
    time. Raises `FolderChanged` or `ReleaseError`."""
    left = item.state.st_size
    with opened(folder, item) as file:
        while left > 0 and (piece := _read(file, min(left, _CHUNK), folder, item)):
            left -= len(piece)
            yield piece


def _read(file: BinaryIO, size: int, folder: Path, item: Item) -> bytes:
    try:
        return file.read(size)
    except OSError as error:
        raise unreadable(folder, error, item.path) from error


def link_text(folder: Path, item: Item) -> str:
    """The text for a symbolic link in a copy of the folder, so that it leads to the same place in the copy.

    It is the link's own text, or a relative path if that text depends on the folder's location (an absolute path, for
    example). Raises `ReleaseError` if the link leads out of the folder, or `FolderChanged`.
    """
    path = folder / item.path
    try:
        text = os.readlink(path)
    except OSError as error:
        raise FolderChanged(str(folder)) from error
    if leads_outside(folder, item):
        raise ReleaseError(
            "release_link_outside",
            f"{item.path!r} in the folder {str(folder)!r} is a symbolic link to {text!r}, which is outside it",
            "put the file itself into the folder, or remove the link, or name it in .difyignore",
        )
    if stays_inside(item.path, text):
        return text
    return os.path.relpath(os.path.realpath(path), os.path.dirname(os.path.join(os.path.realpath(folder), item.path)))


def leads_outside(folder: Path, item: Item) -> bool:
    """Whether a symbolic link leads out of the folder, or cannot be resolved, which counts as the same."""
    root = os.path.realpath(folder)
    try:
        target = os.path.realpath(folder / item.path)
    except OSError:
        return True
    return os.path.commonpath((root, target)) != root


def stays_inside(path: str, text: str) -> bool:
    """Whether the text of a link at `path` guarantees that it does not lead out of the folder. The folders on `path`
    must not be links. The text must be relative, with `..` only at its beginning, and not more often than `path` is
    deep: a `..` after another link could lead further up."""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    rising = len(parts)
    for number, part in enumerate(parts):
        if part != "..":
            rising = number
            break
    return not text.startswith("/") and ".." not in parts[rising:] and rising <= path.count("/")


def unreadable(folder: Path, error: OSError, path: str = "") -> ReleaseError:
    """The error to raise for something in the folder that cannot be read. `path` is relative to the folder; "": as
    `error` says."""
    name = path or os.path.relpath(error.filename or folder, folder)
    what = f"the folder {str(folder)!r}" if name == "." else f"{name!r} in the folder {str(folder)!r}"
    message = f"{what} cannot be read: {error.strerror}"
    return ReleaseError("release_unreadable", message, "let the user that runs the daemon read it, or check the disk")


def _too_large(folder: Path, what: str) -> ReleaseError:
    remedy = "keep data, models and environments outside the plugin's folder"
    return ReleaseError("release_too_large", f"the folder {str(folder)!r} has {what}", remedy)
