"""Two calls of Linux's prctl(2), for which Python has no functions. They raise `OSError`."""

import ctypes
import os

_SET_CHILD_SUBREAPER = 36
_SET_NO_NEW_PRIVS = 38


def _prctl(option: int, value: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(option, *(ctypes.c_ulong(number) for number in (value, 0, 0, 0))):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def take_orphans(*, switch: bool) -> None:
    """Set whether descendants that lose their parent become children of this process rather than of pid 1 (child
    subreaper)."""
    _prctl(_SET_CHILD_SUBREAPER, int(switch))


def gain_no_privileges() -> None:
    """From now on no process that this thread starts can gain rights by executing a file (`sudo`, setuid, file
    capabilities). This is inherited and cannot be undone."""
    _prctl(_SET_NO_NEW_PRIVS, 1)
