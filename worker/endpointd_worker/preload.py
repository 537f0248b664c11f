"""The modules that the template imports, so that its workers share them and need not import them.

These are all modules that every worker imports, the built-in `dify_plugin`, and the modules of the standard library
that plugins often use. None of them starts a thread or opens a file. Third-party packages that only a plugin would
import are left out: the plugin may bring its own.
"""

import importlib
import os
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from types import ModuleType

from endpointd_worker.loader import SDK

PACKAGE = "endpointd_worker"

STANDARD = (
    "asyncio base64 concurrent.futures.thread csv ctypes dataclasses datetime decimal email.message encodings.idna"
    " hashlib hmac html http.client json logging queue random secrets ssl string subprocess textwrap traceback typing"
    " urllib.parse urllib.request uuid"
)


@dataclass(frozen=True, slots=True)
class Preloaded:
    """`names` are the modules that were imported early: a worker that was not forked from a template has not imported
    them when it loads the plugin."""

    names: frozenset[str]

    def give_way_to(self, folder: str) -> dict[str, ModuleType]:
        """Remove from `sys.modules` those that a module in the plugin's folder would shadow, so that the plugin imports
        its own. Returns the removed modules: the caller must keep them referenced, because Python clears the globals of
        a module that is freed."""
        own = {name.partition(".")[0] for name in os.listdir(folder)}
        shadowed = [name for name in self.names if name.partition(".")[0] in own]
        return {name: sys.modules.pop(name) for name in shadowed if name in sys.modules}


def preload() -> Preloaded:
    """Import all these modules."""
    for name in ("serve", "runtimes"):
        importlib.import_module(f"{PACKAGE}.{name}")
    before = frozenset(sys.modules)
    importlib.import_module(f"{PACKAGE}.tasks.runner")
    for name in STANDARD.split():
        importlib.import_module(name)
    _preload_sdk()
    early = frozenset(sys.modules) - before
    return Preloaded(frozenset(name for name in early if name.partition(".")[0] != PACKAGE))


def _preload_sdk() -> None:
    if PathFinder.find_spec("dify_plugin", sys.path) is not None:
        # An installed SDK has precedence over ours, and only the plugin imports it.
        return
    sys.path.append(str(SDK))
    try:
        importlib.import_module("dify_plugin")
        importlib.import_module("dify_plugin.core.runtime")
    finally:
        sys.path.remove(str(SDK))
