"""Implements `endpointd install`: sends a plugin to the daemon and shows the progress."""

import os
import select
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from endpointd.admin.client import Client
from endpointd.admin.documents import ARCHIVE, PACKAGE, read
from endpointd.cli.control import RUNNING, building, report
from endpointd.cli.output import print_json, report_warning
from endpointd.cli.progress import Told, bar, is_shown, waiting
from endpointd.errors import OperatorError, UsageError
from endpointd.manifest.findings import one_line
from endpointd.plugins.status import InstalledStatus

QUICK = 4 * 1024 * 1024
"""Below this many bytes no progress is shown: they are sent before anybody could read it."""

FIRST = 10
"""Seconds to wait for the first byte of a pipe."""


def install(client: Client, path: Path, *, replace: bool, json: bool) -> None:
    """Install a folder or a package."""
    with _source(path) as (file, size, kind):
        document = _send(client, path, file, size, kind, replace=replace)
    status = read(InstalledStatus, document)
    for warning in status.warnings:
        report_warning(one_line(warning))
    if json:
        print_json(document)
    else:
        report(document, RUNNING)


def _send(client: Client, path: Path, file: IO[bytes], size: int, kind: str, *, replace: bool) -> object:
    what = f"install {path.name}"
    if size < QUICK or not is_shown():
        return waiting(what, lambda: client.install(file, size, kind, replace=replace), lambda: building(client))
    with bar(f"sending {path.name}", f"{what} …") as told:
        return client.install(cast("IO[bytes]", _Told(file, size, told)), size, kind, replace=replace)


class _Told:
    """A file that reports how much of it was read."""

    def __init__(self, file: IO[bytes], size: int, told: Told) -> None:
        self._file = file
        self._size = size
        self._done = 0
        self._told = told

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self._done += len(data)
        self._told(self._done, self._size)
        return data


@contextmanager
def _source(path: Path) -> Iterator[tuple[IO[bytes], int, str]]:
    """The file to send, positioned at its beginning; its size; and its kind."""
    if path.is_dir():
        with tempfile.TemporaryFile() as archive:
            _pack(path, archive)
            size = archive.tell()
            archive.seek(0)
            yield archive, size, ARCHIVE
        return
    try:
        # Otherwise, opening a pipe without a writer would block until there is one.
        package = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    with package:
        state = os.fstat(package.fileno())
        if stat.S_ISFIFO(state.st_mode):
            with tempfile.TemporaryFile() as spool:
                _take_out(path, package, spool)
                size = spool.tell()
                spool.seek(0)
                yield spool, size, PACKAGE
        elif stat.S_ISREG(state.st_mode):
            yield package, state.st_size, PACKAGE
        else:
            raise _unreadable(path, "is no file")


def _take_out(path: Path, pipe: IO[bytes], spool: IO[bytes]) -> None:
    """Copy a pipe to a temporary file, because the size must be known before it is sent."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    if not poll.poll(FIRST * 1000):
        raise _unreadable(path, f"is a pipe that nobody has written to for {FIRST} s")
    os.set_blocking(pipe.fileno(), True)
    shutil.copyfileobj(pipe, spool)


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError("package_unreadable", f"{path} {why}", "name the plugin's folder, or a package (NAME.difypkg)")


def _pack(folder: Path, archive: IO[bytes]) -> None:
    from endpointd.folders.tree import FolderChanged
    from endpointd.installing.staging import pack

    try:
        pack(folder, cast("BinaryIO", archive))
    except FolderChanged as error:
        raise OperatorError(
            "folder_changing", f"{folder} was changed while it was read", "try again when it is at rest"
        ) from error
