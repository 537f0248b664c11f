"""Standard input, output and error of a process that was started without one of them."""

import os
import sys

_MODES = {"stdin": "r", "stdout": "w", "stderr": "w"}
"""In the order of their descriptors."""


def open_missing() -> None:
    """Let each that is closed lead nowhere, before anything else is opened: a database or a connection would get its
    number, and with it whatever a library or a child prints."""
    for number, (name, mode) in enumerate(_MODES.items()):
        if not _is_open(number):
            # Those before it are open, so this gets its number. Children inherit it, as they do the others.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
            # Python has made it None. It stays open until the end.
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
