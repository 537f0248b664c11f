"""Changes the owner of an environment from the user that built it to the daemon's user, so that the former may read and
run it, but not change it."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_WRITE = stat.S_IWGRP | stat.S_IWOTH
_SPECIAL = stat.S_ISUID | stat.S_ISGID
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def seal(folder: Path) -> None:
    """Give `folder` and its content to this process's user, without set-id bits and without write permission for
    group and others. Raises `OSError`.

    The content cannot be trusted: symbolic links are not followed, and everything that is neither a file, a folder nor
    a link is removed.
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
