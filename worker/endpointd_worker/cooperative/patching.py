"""Lets gevent patch the standard library, as Dify's SDK does when it is imported, but earlier: before anything else.

It must happen before any thread or lock is created, because otherwise there would be patched and unpatched ones. All
versions of the SDK make the same call (0.0.1 to 0.10: `patch_all(sys=True)`), and a second one does nothing.
"""

import importlib
import sys
from importlib.machinery import PathFinder

SDK = "dify_plugin"
GEVENT = "gevent"


def is_wanted() -> bool:
    """Whether Dify's SDK and gevent are installed here. Imports neither of them."""
    return all(PathFinder.find_spec(name, sys.path) for name in (SDK, GEVENT))


def patch_if_wanted() -> bool:
    """Patch the standard library if `is_wanted()`. Returns whether it was done."""
    if not is_wanted():
        return False
    importlib.import_module("gevent.monkey").patch_all(sys=True)
    return True
