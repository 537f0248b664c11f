"""How a worker's process exits: with `os._exit`, after the `atexit` functions and before the interpreter is finalized.

Finalization stops daemon threads wherever they are, and plugins have such threads: one that a request starts is a
daemon. If it is just writing to stdout or stderr it keeps the stream's lock for ever, and the interpreter, which cannot
flush the stream, aborts after two seconds ("Fatal Python error: _enter_buffered_busy", in 3.11 to 3.13). Some C
extensions have problems of their own with finalization. Skipping it loses only one thing: Python would flush the files
that a plugin has left open. That is done here.
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
"""Prefixes of the links in `DESCRIPTORS` whose objects need no flush: unsent data of a connection may be lost, and the
memory shared with the host is open in every worker."""


class ProcessExit:
    """Ends this process, with the `atexit` functions and without finalization."""

    def __init__(self) -> None:
        self._status = 1
        """The status if the process ends without a call of `exit`."""
        self._process = 0

    def prepare(self) -> None:
        """Register the exit with `atexit`. To be called before the plugin is imported: functions that are registered
        later run earlier, so those of the plugin run before the process ends."""
        self._process = os.getpid()
        atexit.register(self._exit_now)

    def exit(self, status: int) -> NoReturn:
        self._status = status
        sys.exit(status)

    def _exit_now(self) -> None:
        # A child that the plugin has forked exits as usual.
        if os.getpid() == self._process:
            try:
                # A handler may hold back records. `logging` has registered its shutdown before this function, so it
                # would run too late.
                with suppress(Exception):
                    logging.shutdown()
                write_out()
            finally:
                os._exit(self._status)


def write_out() -> None:
    """Flush all open files, stdout and stderr first."""
    for file in (sys.stdout, sys.stderr, *_open_files()):
        # The plugin may have closed it or replaced it by anything, and a disk may be full.
        with suppress(Exception):
            file.flush()


def _open_files() -> list[Any]:
    """The file objects that may have unflushed output."""
    if not _has_open_files():
        # Looking at every object takes some 10 ms, and copies all memory that is shared with the template.
        return []
    # Include the objects that were frozen when the plugin had been loaded.
    gc.unfreeze()
    return [*filter(_keeps_what_was_written, gc.get_objects())]


def _has_open_files() -> bool:
    """Whether a file or a pipe is open for writing, besides stdout and stderr. True if that cannot be told."""
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
    # No `isinstance`, which may run code of the plugin's (`__class__`).
    kind = type(value)
    return kind is io.TextIOWrapper or kind is io.BufferedWriter or kind is io.BufferedRandom


process_exit = ProcessExit()
