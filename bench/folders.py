"""Creates folders of any number of plugins, or of a plugin with any number of routes."""

import re
import shutil
from pathlib import Path

from errors import BenchError
from workloads import DUCK

INTERFACE = """\
path: "{path}"
method: "GET"
extra:
  python:
    source: "endpoints/duck.py"
"""


def copies(plugins: Path, number: int) -> None:
    """Copy the duck in a directory until there are ``number``: duck, duck1, duck2, …"""
    for name in (f"{DUCK.plugin.name}{each}" for each in range(1, number)):
        shutil.copytree(plugins / DUCK.plugin.name, plugins / name)
        manifest = plugins / name / "manifest.yaml"
        text, changes = re.subn("(?m)^name: duck$", f"name: {name}", manifest.read_text("utf-8"))
        if changes != 1:
            raise BenchError(f"{manifest} does not say its name as the benchmark expects it")
        manifest.write_text(text, "utf-8")


def with_routes(plugins: Path, number: int) -> None:
    """Add routes to the duck in a directory until it has ``number``, each with a parameter and a file of its own."""
    folder = plugins / DUCK.plugin.name
    group = next((folder / "group").glob("*.yaml"))
    added = []
    for each in range(number - 1):
        (folder / "endpoints" / f"route{each}.yaml").write_text(
            INTERFACE.format(path=f"/route{each}/<app_id>"), "utf-8"
        )
        added.append(f"  - endpoints/route{each}.yaml\n")
    group.write_text(group.read_text("utf-8").rstrip("\n") + "\n" + "".join(added), "utf-8")
