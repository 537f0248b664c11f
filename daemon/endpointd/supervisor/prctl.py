"""The two things that Linux lets a process say of itself and Python has no word for."""

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
    """Whether descendants that lose their parent become children of this process, instead of the system's first."""
    _prctl(_SET_CHILD_SUBREAPER, int(switch))


def gain_no_privileges() -> None:
    """From now on nothing that this thread starts can get more rights by executing a file (`sudo`, setuid, file
    capabilities). It is inherited and cannot be taken back."""
    _prctl(_SET_NO_NEW_PRIVS, 1)
