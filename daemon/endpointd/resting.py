"""Whether a folder was moved to its place as a whole, and had been at rest before: by the times that the file system
itself keeps, all of them by one clock, which need not be this machine's.

A file's *change time* is set by the kernel when its content, its name or its attributes change, and by nobody else:
`cp -a` and `tar` set the modification time alone. A folder that is moved changes itself, and nothing within it does.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

MANY = 2000
"""Entries; a look at more would take longer than it saves."""


def had_rested(folder: Path, seconds: float) -> bool:
    """Whether nothing below `folder` had changed in the `seconds` before the folder itself did, nor has since then."""
    try:
        own = os.lstat(folder)
        latest = own.st_ctime - seconds
        # What comes or goes in a folder sets its modification time. So may others, but then what came is young itself.
        if not stat.S_ISDIR(own.st_mode) or own.st_mtime > latest:
            return False
        for count, entry in enumerate(_entries(folder)):
            status = entry.stat(follow_symlinks=False)
            # What a link leads to is elsewhere, and has times of its own.
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
