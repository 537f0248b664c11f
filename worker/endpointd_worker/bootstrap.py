"""Starts a worker; run by path (`python -I bootstrap.py`), so that nothing of ours has to be on the plugin's path.

Our two packages are loaded from the folders beside this file under their own names before any plugin code runs. A
plugin's module of whatever name can therefore not stand in for one of ours, nor can ours be seen in place of a
plugin's.
"""

import gc
import importlib
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from endpointd_worker.ways import Way

PRIVATE = "endpointd-private"
"""Folder of an environment for packages that are ours alone (`endpointd.environments.additions`)."""

TEMPLATE = "template"
"""Behind the limits on the command line: this is no worker, but workers are to be forked from it."""

GC_THRESHOLD = 10_000
"""New objects after which cycles among them are looked for. Python's default of 700 is a handful of requests, and makes
the import of many modules, nothing of which is garbage, longer by a tenth."""


def _load_package(name: str) -> None:
    folder = Path(__file__).resolve().parent.parent / name
    spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def main() -> None:
    gc.set_threshold(GC_THRESHOLD)
    # Held, because modules that nobody holds are emptied.
    hidden = _load_wire()
    _load_package("endpointd_worker")
    report = None
    if sys.argv[2:] == [TEMPLATE]:
        report, shadowed = _be_born()
        hidden |= shadowed
    _confine()
    if report is not None:
        os.close(report)
    way = _find_way()
    from endpointd_worker.serve import serve

    status = serve(way)
    hidden.clear()
    way.exit(status)


def _be_born() -> tuple[int, dict[str, ModuleType]]:
    """Be the template, and return in each worker: a descriptor, to be closed when the process is set up, and modules
    to be held."""
    importlib.import_module("endpointd_worker.native")
    from endpointd_worker.confine import bear_mark
    from endpointd_worker.cooperative.patching import is_wanted
    from endpointd_worker.template import leave, wait_for_orders

    if is_wanted():
        leave()
    bear_mark(sys.argv[1])
    return wait_for_orders()


def _find_way() -> "Way":
    """Whether the plugin's code runs in threads, or in greenlets, is settled before anything is imported that might
    make a thread or a lock."""
    # Before the standard library changes.
    importlib.import_module("endpointd_worker.native")
    from endpointd_worker.cooperative.patching import patch_if_wanted

    if patch_if_wanted():
        from endpointd_worker.cooperative.way import IN_GREENLETS

        return IN_GREENLETS
    from endpointd_worker.ways import IN_THREADS

    return IN_THREADS


def _load_wire() -> dict[str, ModuleType]:
    """Load what speaks on the wire; returns what is hidden of it.

    Where the msgpack of the plugin's environment will not do there is another one, for the wire alone. It is imported
    by it and then hidden, so that the plugin finds its own.
    """
    private = Path(sys.prefix) / PRIVATE
    if private.is_dir():
        sys.path.insert(0, str(private))
    _load_package("endpointd_wire")
    importlib.import_module("endpointd_wire.frames")
    if not private.is_dir():
        return {}
    sys.path.remove(str(private))
    return {name: sys.modules.pop(name) for name in [*sys.modules] if name.partition(".")[0] == "msgpack"}


def _confine() -> None:
    """Apply the limits that the host gives as the only argument. A worker that is started by hand has none."""
    if len(sys.argv) > 1:
        from endpointd_worker.confine import confine

        confine(sys.argv.pop())


if __name__ == "__main__":
    main()
