"""Starts a worker. Run by path (`python -I bootstrap.py`), so our code need not be on the plugin's path.

Our two packages are loaded from the folders beside this file, before any plugin code runs. Therefore no module of a
plugin can replace one of ours, whatever its name, and none of ours can hide one of a plugin's.
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
    from endpointd_worker.runtimes import Runtime

PRIVATE = "endpointd-private"
"""Folder in an environment for packages that only our code uses (`endpointd.environments.additions`)."""

TEMPLATE = "template"
"""The argument after the limits which says that this process is the template, from which workers are forked."""

GC_THRESHOLD = 10_000
"""New objects after which the garbage collector looks for cycles. Python's default of 700 is reached within a handful
of requests, and makes the import of many modules, none of which is garbage, a tenth slower."""


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
    # Keep references to these modules: Python clears the globals of a module that is freed.
    hidden = _load_wire()
    _load_package("endpointd_worker")
    report = None
    if sys.argv[2:] == [TEMPLATE]:
        report, shadowed = _run_template()
        hidden |= shadowed
    _apply_limits()
    if report is not None:
        os.close(report)
    runtime = _choose_runtime()
    from endpointd_worker.serve import serve

    status = serve(runtime)
    hidden.clear()
    runtime.exit(status)


def _run_template() -> tuple[int, dict[str, ModuleType]]:
    """Run the template process. Returns in each forked worker only: the descriptor of its report pipe, to be closed
    when the process is set up, and modules to keep referenced."""
    importlib.import_module("endpointd_worker.native")
    from endpointd_worker.confine import set_template_mark
    from endpointd_worker.cooperative.patching import is_wanted
    from endpointd_worker.template import refuse, wait_for_orders

    if is_wanted():
        refuse()
    set_template_mark(sys.argv[1])
    return wait_for_orders()


def _choose_runtime() -> "Runtime":
    """Decide whether the plugin's code runs in threads or in greenlets. To be called before anything is imported that
    might create a thread or a lock, because gevent patches the standard library here."""
    # Must be imported before the standard library is patched.
    importlib.import_module("endpointd_worker.native")
    from endpointd_worker.cooperative.patching import patch_if_wanted

    if patch_if_wanted():
        from endpointd_worker.cooperative.runtime import GREENLETS

        return GREENLETS
    from endpointd_worker.runtimes import THREADS

    return THREADS


def _load_wire() -> dict[str, ModuleType]:
    """Load `endpointd_wire`. Returns the modules that were removed from `sys.modules` again.

    If the msgpack of the plugin's environment is not compatible, the environment has another one in `PRIVATE`.
    `endpointd_wire` imports that one, which is then hidden so that the plugin imports its own.
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


def _apply_limits() -> None:
    """Apply the limits that the host passes as the only argument. A worker started by hand has none."""
    if len(sys.argv) > 1:
        from endpointd_worker.confine import confine

        confine(sys.argv.pop())


if __name__ == "__main__":
    main()
