"""Packs plugins into archives, and unpacks them beside the installed plugins, in hidden folders that are not served.

An archive is an uncompressed tar with the plugin's files at its top level, as `pack` writes it. It is not unpacked with
tarfile's `extract`: symbolic links are created last, and only if their text does not lead out of the folder, so that no
file is ever written through a link.
"""

import errno
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar

from endpointd.errors import OperatorError
from endpointd.folders.disk import write_out
from endpointd.folders.leftout import is_left_out
from endpointd.folders.tree import (
    MAX_BYTES,
    MAX_FILES,
    FolderChanged,
    Item,
    Kind,
    leads_outside,
    link_text,
    pieces,
    stays_inside,
    survey,
)

T = TypeVar("T")

PREFIX = ".staging-"

_END = 1024
"""The number of zero bytes at the end of every complete archive."""


class StagingError(OperatorError):
    """The archive cannot be installed."""


# In the client


def pack(folder: Path, out: BinaryIO, *, ignored: bool = False, outside: Callable[[str], None] | None = None) -> None:
    """Write the plugin in `folder` as an archive to `out`, without owners, and without files that are not part of it.
    With `ignored`, it includes files that its ignore file excludes. If `outside` is given, links that lead out of the
    folder are left out, and it is called with the path of each.

    Raises `ReleaseError` if the folder cannot be packed, or `FolderChanged`; the caller must discard the output then.
    """
    items = survey(folder, ignored=ignored)
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for item in items:
            if outside is not None and item.kind is Kind.LINK and leads_outside(folder, item):
                outside(item.path)
            else:
                _add(archive, folder, item)


def _add(archive: tarfile.TarFile, folder: Path, item: Item) -> None:
    member = tarfile.TarInfo(item.path)
    member.mtime = int(item.state.st_mtime)
    member.mode = 0o755 if item.is_executable or item.kind is Kind.DIRECTORY else 0o644
    if item.kind is Kind.FILE:
        member.size = item.state.st_size
        archive.addfile(member, _Content(folder, item))
        return
    if item.kind is Kind.LINK:
        member.type, member.linkname = tarfile.SYMTYPE, link_text(folder, item)
    else:
        member.type = tarfile.DIRTYPE
    archive.addfile(member)


class _Content:
    """A file to be packed, as a file object for tarfile. `read` raises `FolderChanged` if it has become shorter."""

    def __init__(self, folder: Path, item: Item) -> None:
        self._folder = folder
        self._pieces = pieces(folder, item)
        self._rest = b""

    def read(self, size: int = 0) -> bytes:
        while len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                raise FolderChanged(str(self._folder))
            self._rest += piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


# In the daemon


def stage(plugins: Path, fill: Callable[[Path], T]) -> tuple[Path, T]:
    """Create a hidden folder in `plugins`, let `fill` fill it, and write it to the disk. Returns the folder, which the
    caller must move to its place or remove, and the result of `fill`. Raises `StagingError` and what `fill` raises, and
    leaves nothing behind then."""
    with explained(plugins):
        staged = Path(tempfile.mkdtemp(prefix=PREFIX, dir=plugins))
        try:
            staged.chmod(0o755)
            filled = fill(staged)
            write_out(staged)
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise
    return staged, filled


def unpack_archive(archive: BinaryIO, staged: Path) -> None:
    """Unpack the archive into the empty folder `staged`. Raises `StagingError` or OSError."""
    source = _Source(archive)
    links: dict[str, str] = {}
    try:
        with tarfile.open(fileobj=source, mode="r|") as members:  # type: ignore[call-overload]
            for member, path in _checked(members):
                if member.issym():
                    links[path] = member.linkname
                else:
                    _make(members, member, staged / path)
        _link(links, staged)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        # For a link, `filename` is its text, and `filename2` its path.
        name = os.path.relpath(error.filename2 or error.filename, staged)
        raise _unsafe(name, "is there twice") from error
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise _invalid(str(error)) from error
    if not source.is_whole():
        raise _invalid("its end is missing")


def _link(links: Mapping[str, str], staged: Path) -> None:
    for path, text in links.items():
        if any(str(parent) in links for parent in PurePosixPath(path).parents):
            raise _unsafe(path, "lies below a symbolic link")
        if not stays_inside(path, text):
            raise _unsafe(path, f"is a symbolic link to {text!r}, which leaves the plugin's folder")
        (staged / path).parent.mkdir(parents=True, exist_ok=True)
        (staged / path).symlink_to(text)


def _checked(members: tarfile.TarFile) -> Iterator[tuple[tarfile.TarInfo, str]]:
    """The archive's members that belong to a plugin, with their paths. Raises `StagingError`."""
    size = 0
    for number, member in enumerate(members):
        size += member.size
        if number >= MAX_FILES or size > MAX_BYTES:
            raise StagingError(
                "archive_too_large",
                f"the archive has more than {MAX_FILES} files or {MAX_BYTES // 1024**2} MiB",
                "keep data, models and environments outside the plugin's folder",
            )
        parts = PurePosixPath(member.name).parts
        if member.name.startswith("/") or ".." in parts:
            raise _unsafe(member.name, "leaves the plugin's folder")
        if not (member.isreg() or member.isdir() or member.issym()):
            raise _unsafe(member.name, "is a hard link or a device")
        if parts and not any(is_left_out(part) for part in parts):
            yield member, "/".join(parts)


def _make(members: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    content = members.extractfile(member)
    assert content is not None
    with path.open("xb") as file:
        shutil.copyfileobj(content, file)
    path.chmod(0o755 if member.mode & stat.S_IXUSR else 0o644)
    with suppress(OverflowError, ValueError):
        os.utime(path, (member.mtime, member.mtime))


class _Source:
    """A file that tarfile reads an archive from. Remembers the last bytes, so that a truncated archive is detected:
    tarfile does not notice if an archive was cut off between two files."""

    def __init__(self, archive: BinaryIO) -> None:
        self._archive = archive
        self._tail = b""

    def read(self, size: int) -> bytes:
        data = self._archive.read(size)
        self._tail = (self._tail + data)[-_END:]
        return data

    def is_whole(self) -> bool:
        while self.read(64 * 1024):
            pass
        return self._tail == bytes(_END)


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def clean(plugins: Path) -> None:
    """Remove what a killed daemon has left. To be called before anything else."""
    # Errors about the directory are reported when the plugins are read.
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        for item in plugins.iterdir():
            if item.name.startswith(PREFIX):
                _remove(item)


def _invalid(why: str) -> StagingError:
    remedy = "send an uncompressed tar of the plugin's folder, or use 'endpointd install FOLDER'"
    return StagingError("archive_invalid", f"the archive cannot be read: {why}", remedy)


def _unsafe(path: str, why: str) -> StagingError:
    return StagingError("archive_unsafe", f"{path!r} in the archive {why}", "remove it from the archive")


@contextmanager
def explained(plugins: Path) -> Iterator[None]:
    """Turn errors of the operating system about the plugins directory into `StagingError`."""
    try:
        yield
    except OSError as error:
        message = f"the archive cannot be unpacked in {str(plugins)!r}: {error.strerror}"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StagingError("archive_disk_full", message, "make room there") from error
        remedy = "let the user that runs the daemon write there"
        raise StagingError("archive_not_written", message, remedy) from error
