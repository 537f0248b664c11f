"""Tells whether a folder was moved to its place as a whole and was at rest before. Uses only times of the file system,
which all come from one clock; it need not be this machine's.

The kernel sets a file's *change time* (ctime) whenever its content, name or attributes change, and nothing else can set
it: `cp -a` and `tar` only set the modification time. When a folder is moved, its own ctime changes, but not those of
its content.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

MANY = 2000
"""The most entries to check; checking more would take longer than it saves."""


def had_rested(folder: Path, seconds: float) -> bool:
    """Whether nothing in `folder` has changed later than `seconds` before the folder itself did."""
    try:
        own = os.lstat(folder)
        latest = own.st_ctime - seconds
        # Adding or removing an entry sets the folder's mtime. A program may set it back, but not the new entry's ctime.
        if not stat.S_ISDIR(own.st_mode) or own.st_mtime > latest:
            return False
        for count, entry in enumerate(_entries(folder)):
            status = entry.stat(follow_symlinks=False)
            # The target of a link is elsewhere and has its own times.
            if count >= MANY or stat.S_ISLNK(status.st_mode) or status.st_ctime > latest:
                return False
    except OSError:
        return False
    return True


def _entries(folder: Path | str) -> Iterator["os.DirEntry[str]"]:
    with os.scandir(folder) as entries:
        for entry in entries:
            yield entry
            if entry.is_dir(follow_symlinks=False):
                yield from _entries(entry.path)
