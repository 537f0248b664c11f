"""Opens standard input, output and error if the process was started with one of them closed."""

import os
import sys

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}
"""The names in `sys`, in the order of the descriptors 0, 1 and 2."""


def open_missing() -> None:
    """Open /dev/null for each that is closed. Must be called before anything else is opened: otherwise a database or a
    connection would get the descriptor, and everything that a library or a child process prints."""
    for number, (name, mode) in enumerate(_MODES.items()):
        if not _is_open(number):
            # The lower descriptors are open, so this one gets the right number. It is inherited by children, like the
            # others.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            # Python has set it to None. It stays open until the process ends.
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
