"""The catalogue of misbehaving plugins, served by a real daemon beside one that behaves.

Each source `workers/<name>.py` becomes a plugin `<name>` that misbehaves at `/` and answers at `/fine`, from the same
worker. The plugin `bystander` behaves at both.
"""

import json
import os
import signal
from pathlib import Path
from typing import Any

from endpointd.testing import RunningDaemon
from support.plugins import write_plugin
from support.raw_http import Answer, ask

WORKERS = Path(__file__).parents[1] / "workers"
BYSTANDER = "bystander"
AUTHOR = "test"

EXPLAINED = frozenset(
    {"plugin.log", "plugin.not_served", "plugin.output_left_out", "plugin.without_endpoint", "request.refused"}
    | {"response.aborted", "response.too_long", "worker.failed", "worker.hung"}
)
"""What the daemon says of a plugin that misbehaves, at level warning or above."""

EXPECTED = ("service manager not reached", "Cancel ", "plugins.run_as_root")
"""How events begin that no plugin brings about: a test's service manager listens no longer than until the daemon is
ready, uvicorn tells of requests that were under way when the drain clock ran out, and tests may run as root."""


def write_catalogue(directory: Path, *names: str) -> Path:
    """Write the plugins named `names`, and the bystander, into `directory`; returns it."""
    for name in names:
        write_misbehaving(directory, name, (WORKERS / f"{name}.py").read_text(encoding="utf-8"))
    fine = {"fine.py": fine_source()}
    write_plugin(directory, BYSTANDER, fine, [("GET", "/", "fine.py"), ("GET", "/fine", "fine.py")])
    return directory


def write_misbehaving(directory: Path, name: str, source: str) -> Path:
    """Write one plugin whose `/` is answered by `source`."""
    interfaces = [("GET", "/", "source.py"), ("POST", "/", "source.py"), ("GET", "/fine", "fine.py")]
    return write_plugin(directory, name, {"source.py": source, "fine.py": fine_source()}, interfaces)


def fine_source() -> str:
    return (WORKERS / "fine.py").read_text(encoding="utf-8")


def misbehave(daemon: RunningDaemon, name: str, query: str = "") -> Answer:
    """Make the plugin misbehave; what its client gets. Broken: the answer is not whole."""
    return ask(daemon.url, f"/e/{name}/?{query}")


def fine(daemon: RunningDaemon, name: str = BYSTANDER) -> int:
    """Ask the plugin for what it can do well. Returns its worker's pid. AssertionError: it cannot."""
    answer = ask(daemon.url, f"/e/{name}/fine")
    assert answer.status == 200, (answer.status, answer.body)
    return int(json.loads(answer.body)["pid"])


def kill_worker(daemon: RunningDaemon, name: str) -> int:
    """Kill the plugin's worker and wait until the daemon knows. Returns the pid that it had."""
    pid = fine(daemon, name)
    os.kill(pid, signal.SIGKILL)
    daemon.wait_for_log(f'was killed by SIGKILL", "pid": {pid}')
    return pid


def unexplained(daemon: RunningDaemon, *names: str) -> list[Any]:
    """What the log says at level warning or above, or in no event at all, and `names` do not account for."""
    ids = {f"{AUTHOR}/{name}" for name in names}
    lines = daemon.log().splitlines()
    events = daemon.events()
    strange: list[Any] = [line for line in lines if not line.startswith("{")]
    return strange + [event for event in events if _is_grave(event) and not _is_explained(event, ids)]


def _is_grave(event: dict[str, Any]) -> bool:
    return event.get("level") not in ("debug", "info") and not event["event"].startswith(EXPECTED)


def _is_explained(event: dict[str, Any], ids: set[str]) -> bool:
    return event.get("event") in EXPLAINED and event.get("plugin") in ids
