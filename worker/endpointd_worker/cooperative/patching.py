"""Has gevent change the standard library, as Dify's SDK does when it is imported: everything, before all else.

It has to happen before there are threads and locks, which would be of two kinds otherwise. All versions of the SDK ask
for the same (0.0.1 to 0.10: `patch_all(sys=True)`), and asking twice for the same does nothing.
"""

import importlib
import sys
from importlib.machinery import PathFinder

SDK = "dify_plugin"
GEVENT = "gevent"


def is_wanted() -> bool:
    """Whether the packages that are installed here have the SDK, and gevent. Nothing is imported to find out."""
    return all(PathFinder.find_spec(name, sys.path) for name in (SDK, GEVENT))


def patch_if_wanted() -> bool:
    """Whether it is wanted; then it is done."""
    if not is_wanted():
        return False
    importlib.import_module("gevent.monkey").patch_all(sys=True)
    return True
