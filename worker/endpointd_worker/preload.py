"""What the template imports, so that its workers share it and need not.

All that a worker imports in any case; besides that the built-in `dify_plugin`, and of the standard library what
plugins use often. Nothing that starts a thread or opens a file, and nothing of others' packages that a worker without
a template would leave to the plugin: it may bring its own.
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
    """`names` are the modules that are here before their time: a worker without a template has not imported them
    when it comes to the plugin."""

    names: frozenset[str]

    def give_way_to(self, folder: str) -> dict[str, ModuleType]:
        """Forget those whose name something in the plugin's folder has: it comes first when a plugin imports. What is
        forgotten is returned, because modules that nobody holds are emptied."""
        own = {name.partition(".")[0] for name in os.listdir(folder)}
        shadowed = [name for name in self.names if name.partition(".")[0] in own]
        return {name: sys.modules.pop(name) for name in shadowed if name in sys.modules}


def preload() -> Preloaded:
    """Import all of it."""
    for name in ("serve", "ways"):
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
        # One that is installed comes before ours, and is the plugin's to import.
        return
    sys.path.append(str(SDK))
    try:
        importlib.import_module("dify_plugin")
        importlib.import_module("dify_plugin.core.runtime")
    finally:
        sys.path.remove(str(SDK))
