"""How a worker's process ends: by itself, when all that Python does at the end is done but to take the interpreter
down.

That stops daemon threads wherever they are, and plugins have such: a thread that a request starts is one. Whichever is
just writing to stdout or stderr keeps the stream's lock for ever, and the interpreter, which cannot write out the
stream, aborts after two seconds ("Fatal Python error: _enter_buffered_busy"; 3.11 to 3.13 do). Libraries in C have
troubles of their own with it. Nothing is missed but that Python writes out files which a plugin has left open; that is
done here.
"""

import atexit
import gc
import io
import logging
import os
import sys
from contextlib import suppress
from stat import S_IWUSR
from typing import Any, NoReturn

DESCRIPTORS = "/proc/self/fd"

NO_FILES = ("socket:", "anon_inode:", "/memfd:")
"""How the names there begin of what can be written to and is no file: a connection has no claim to what was not sent
on it, and the memory that is shared with the host is open in every worker."""


class End:
    """The end of this process."""

    def __init__(self) -> None:
        self._status = 1
        """If something goes wrong before it is told."""
        self._process = 0

    def prepare(self) -> None:
        """To be called before there is code of the plugin's, whose own functions for the end (`atexit`) come before
        the process is gone."""
        self._process = os.getpid()
        atexit.register(self._be_gone)

    def exit(self, status: int) -> NoReturn:
        self._status = status
        sys.exit(status)

    def _be_gone(self) -> None:
        # A child that the plugin has forked has its own end.
        if os.getpid() == self._process:
            try:
                # Registered before this is, so it would be called after it: a handler may hold records back.
                with suppress(Exception):
                    logging.shutdown()
                write_out()
            finally:
                os._exit(self._status)


def write_out() -> None:
    """Write out all that was written to files and has not left, stdout and stderr first."""
    for file in (sys.stdout, sys.stderr, *_open_files()):
        # The plugin may have closed it, or put anything in its place; and a disk may be full.
        with suppress(Exception):
            file.flush()


def _open_files() -> list[Any]:
    """Python's objects for files that can be written to."""
    if not _has_open_files():
        # To look at every object takes some 10 ms, and copies all memory that is shared with the template.
        return []
    # What was there when the plugin was loaded is among the objects again.
    gc.unfreeze()
    return [*filter(_keeps_what_was_written, gc.get_objects())]


def _has_open_files() -> bool:
    """Whether there is a descriptor for such a file, or a pipe, besides those of stdout and stderr."""
    try:
        with os.scandir(DESCRIPTORS) as entries:
            return any(map(_is_of_a_file, entries))
    except OSError:
        return True


def _is_of_a_file(entry: "os.DirEntry[str]") -> bool:
    if int(entry.name) <= 2 or not entry.stat(follow_symlinks=False).st_mode & S_IWUSR:
        return False
    return not os.readlink(entry.path).startswith(NO_FILES)


def _keeps_what_was_written(value: object) -> bool:
    # Nothing is asked of it, or of its type: those of the plugin's may answer with anything.
    kind = type(value)
    return kind is io.TextIOWrapper or kind is io.BufferedWriter or kind is io.BufferedRandom


end = End()
