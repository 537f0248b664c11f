"""A plugin of a few lines that a test writes, and a gate at which it can be made to wait."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.gates import Gate
from support.plugins import write_plugin

HEADER = """\
import json
import logging
import os
import signal
from dify_plugin import Endpoint
from werkzeug import Request, Response
from werkzeug.utils import redirect

log = logging.getLogger("probe")

def wait_at(path):
    with open(path, "rb", buffering=0) as gate:
        gate.read(1)

def tell(path):
    with open(path, "wb", buffering=0) as gate:
        gate.write(b".")

class Probe(Endpoint):
    def _invoke(self, r, values, settings):
"""
TEXT = {"type": "text-input", "label": {"en_US": "A text"}}


def probe(
    folder: Path,
    body: str,
    settings: Mapping[str, Any] | None = None,
    permission: Mapping[str, Any] | None = None,
) -> Path:
    """A plugin whose `/`, by GET and POST, runs the lines of `body` in its `_invoke`."""
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    interfaces = [("GET", "/", "probe.py"), ("POST", "/", "probe.py"), ("GET", "/below/", "probe.py")]
    return write_plugin(folder, "probe", {"probe.py": HEADER + lines}, interfaces, settings, permission)


def gated(folder: Path, body: str) -> tuple[Path, Gate]:
    """As `probe`, with a gate whose path is `settings["gate"]`."""
    gate = Gate(folder / "gate")
    return probe(folder, body, {"gate": {**TEXT, "default": str(gate.path)}}), gate
