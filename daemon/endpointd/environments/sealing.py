"""Taking an environment away from the user that has built it: it may read and run it, and change nothing."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SPECIAL = stat.S_ISUID | stat.S_ISGID
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def seal(folder: Path) -> None:
    """Make `folder` and all in it this process's own. Raises `OSError`.

    The user may have left anything there: links are not followed, and what is neither a file nor a folder is removed.
    """
    top = os.open(folder, _FLAGS | os.O_DIRECTORY)
    with _closing(top):
        _own(top)
        _seal_entries(top)


def _seal_entries(parent: int) -> None:
    with os.scandir(parent) as entries:
        found = [(entry.name, entry.stat(follow_symlinks=False).st_mode) for entry in entries]
    for name, mode in found:
        if stat.S_ISLNK(mode):
            os.chown(name, os.geteuid(), os.getegid(), dir_fd=parent, follow_symlinks=False)
        elif stat.S_ISDIR(mode):
            with _closing(os.open(name, _FLAGS | os.O_DIRECTORY, dir_fd=parent)) as child:
                _own(child)
                _seal_entries(child)
        elif stat.S_ISREG(mode):
            with _closing(os.open(name, _FLAGS, dir_fd=parent)) as file:
                _own(file)
        else:
            os.unlink(name, dir_fd=parent)


def _own(fd: int) -> None:
    os.fchown(fd, os.geteuid(), os.getegid())
    os.fchmod(fd, stat.S_IMODE(os.fstat(fd).st_mode) & ~_WRITE & ~_SPECIAL)


@contextmanager
def _closing(fd: int) -> Iterator[int]:
    try:
        yield fd
    finally:
        os.close(fd)
