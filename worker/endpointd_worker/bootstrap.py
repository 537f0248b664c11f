"""Starts a worker; run by path (`python -I bootstrap.py`), so that nothing of ours has to be on the plugin's path.

Our two packages are loaded from the folders beside this file under their own names before any plugin code runs. A
plugin's module of whatever name can therefore not stand in for one of ours, nor can ours be seen in place of a
plugin's.
"""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path


def _load_package(name: str) -> None:
    folder = Path(__file__).resolve().parent.parent / name
    spec = spec_from_file_location(name, folder / "__init__.py", submodule_search_locations=[str(folder)])
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def main() -> int:
    _load_package("endpointd_wire")
    _load_package("endpointd_worker")
    _confine()
    from endpointd_worker.serve import serve

    return serve()


def _confine() -> None:
    """Apply the limits that the host gives as the only argument. A worker that is started by hand has none."""
    if len(sys.argv) > 1:
        from endpointd_worker.confine import confine

        confine(sys.argv.pop())


if __name__ == "__main__":
    sys.exit(main())
