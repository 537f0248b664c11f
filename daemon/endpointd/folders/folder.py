"""Reads a plugin's files from its folder, if they are regular, readable, not too large, and inside the folder."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from endpointd.manifest.files import FileProblem, Kind, normal_path

# Bytes. The largest known manifest has 4 KiB.
MAX_FILE = 1024 * 1024

# Opening a FIFO must not wait for a writer.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY


class PluginFolder:
    """The files of the plugin in `root`. Symbolic links are followed as long as they stay inside it."""

    def __init__(self, root: Path, max_file: int = MAX_FILE) -> None:
        self.root = root
        self._max_file = max_file

    def read(self, path: str) -> bytes:
        """The content of the file. Raises `FileProblem` if it cannot be read or is too large."""
        with os.fdopen(self._opened(path), "rb") as file, _explained(path):
            data = file.read(self._max_file + 1)
        if len(data) > self._max_file:
            message = f"{path!r} has more than {self._max_file} bytes"
            raise FileProblem("file_too_large", message, "split the file, or check that it is the right one")
        return data

    def check(self, path: str) -> None:
        """Raise `FileProblem` unless the path is a regular, readable file inside the folder."""
        os.close(self._opened(path))

    def kind(self, path: str) -> Kind | None:
        """Whether the path is a file or a directory; None if it is neither, does not exist, or is outside the
        folder."""
        try:
            with _explained(path):
                mode = os.stat(self._real(path)).st_mode
        except FileProblem:
            return None
        if stat.S_ISREG(mode):
            return Kind.FILE
        return Kind.DIRECTORY if stat.S_ISDIR(mode) else None

    def _opened(self, path: str) -> int:
        with _explained(path):
            real = self._real(path)
            # Check before opening too, because opening a device can have side effects.
            _expect_regular(path, os.stat(real).st_mode)
            fd = os.open(real, _FLAGS)
            try:
                _expect_regular(path, os.fstat(fd).st_mode)
            except FileProblem:
                os.close(fd)
                raise
        return fd

    def _real(self, path: str) -> str:
        """The path with all symbolic links resolved. Raises `FileProblem` if it is outside the folder, or OSError."""
        relative = normal_path(path)
        if not self.root.is_dir():
            message = f"there is no folder {str(self.root)!r}"
            raise FileProblem("folder_missing", message, "give the folder that contains manifest.yaml")
        root = os.path.realpath(self.root, strict=True)
        real = os.path.realpath(os.path.join(root, relative), strict=True)
        if os.path.commonpath((root, real)) != root:
            message = f"{path!r} leaves the plugin's folder through a symbolic link"
            raise FileProblem("path_symlink", message, "put the file itself into the folder")
        return real


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn errors of the operating system about `path` into `FileProblem`."""
    try:
        yield
    except OSError as error:
        raise _problem(path, error) from error
    except UnicodeEncodeError as error:
        message = f"{path!r} cannot be the name of a file"
        raise FileProblem("path_invalid", message, "correct the path") from error


def _problem(path: str, error: OSError) -> FileProblem:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        message = f"there is no file {path!r} in the plugin's folder"
        return FileProblem("file_missing", message, "add the file or correct the path")
    if isinstance(error, PermissionError):
        message = f"{path!r} may not be read by the user that runs this"
        return FileProblem("file_unreadable", message, "change its owner or its mode")
    if error.errno == errno.ELOOP:
        message = f"{path!r} is a symbolic link that leads back to itself"
        return FileProblem("path_symlink", message, "put the file itself into the folder")
    return FileProblem("file_unreadable", f"{path!r} cannot be read: {error.strerror}", "check the file")


def _expect_regular(path: str, mode: int) -> None:
    if stat.S_ISREG(mode):
        return
    kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, socket or device"
    message = f"{path!r} is {kind}, not a file"
    raise FileProblem("file_not_regular", message, "put a regular file there or correct the path")
