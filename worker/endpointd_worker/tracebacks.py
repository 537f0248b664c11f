"""Tracebacks for the author of a plugin: they begin with the plugin's own code."""

import sys
from pathlib import Path
from types import TracebackType

_OURS = str(Path(__file__).parent)
_IMPORT_SYSTEM = "<frozen importlib"


def cut(error: BaseException) -> BaseException:
    """Remove from the traceback of `error` the outermost frames, through which this worker or the import system called
    the plugin. Returns `error`."""
    found = error.__traceback__
    while found is not None and _is_ours(found):
        found = found.tb_next
    return error.with_traceback(found) if found is not None else error


def _is_ours(found: TracebackType) -> bool:
    name = found.tb_frame.f_code.co_filename
    return name.startswith((_OURS, _IMPORT_SYSTEM)) or name == sys.modules["importlib"].__file__
