"""Two system calls of Linux that Python does not offer: syncfs, and renameat2 to exchange two names."""

import ctypes
import errno
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2

_library = ctypes.CDLL(None, use_errno=True)


def write_out(path: Path) -> None:
    """Write all unwritten data of the file system at `path` to the disk (syncfs). One call for hundreds of files, while
    `fsync` would need a journal commit for each. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _library.syncfs(fd) != 0:
            raise _last_error(path)
    finally:
        os.close(fd)


def exchange(one: Path, other: Path) -> bool:
    """Exchange two names atomically. Returns False if the system does not support that. Raises OSError."""
    try:
        call = _library.renameat2
    except AttributeError:
        return False
    if call(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    error = _last_error(one)
    if error.errno in (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
        return False
    raise error


def _last_error(path: Path) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), str(path))
