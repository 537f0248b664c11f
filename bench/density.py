"""Measures the cost of idle plugins: memory, wake-ups and starting time of a daemon with many of them.

Can be run by itself: ``.venv/bin/python bench/density.py --plugins 100`` (with ``--no-fork-server`` workers are
executed instead of forked from the template).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from errors import BenchError
from running import Site, child_environment, free_port, get, stop

START_SECONDS = 120.0
TICKS = os.sysconf("SC_CLK_TCK")

MANIFEST = """\
version: 0.0.1
type: plugin
author: bench
name: {name}
label:
  en_US: {name}
description:
  en_US: Says quack.
icon: icon.svg
created_at: 2026-11-01T00:00:00Z
resource:
  memory: 1048576
plugins:
  endpoints:
    - group.yaml
meta:
  version: 0.0.1
  arch: [amd64, arm64]
  runner:
    language: python
    version: "3.11"
    entrypoint: main
"""
GROUP = "endpoints:\n  - duck.yaml\n"
INTERFACE = 'path: "/duck"\nmethod: "GET"\nextra:\n  python:\n    source: duck.py\n'
SOURCE = """\
from collections.abc import Mapping

from dify_plugin import Endpoint
from werkzeug import Request, Response


class Duck(Endpoint):
    def _invoke(self, r: Request, values: Mapping, settings: Mapping) -> Response:
        return Response("quack")
"""


@dataclass(frozen=True, slots=True)
class Density:
    """The cost of idle plugins. Memory is the proportional set size in bytes; ``per_plugin`` is that of all processes
    but the daemon, divided by the number of plugins; ``beside`` is that of the daemon's helper processes. Wake-ups are
    voluntary context switches per second, of all threads."""

    plugins: int
    start_seconds: float
    start_cpu_seconds: float
    per_plugin: float
    daemon: int
    beside: int
    wakeups_per_plugin: float
    wakeups_daemon: float
    daemon_cpu: float
    """The share of one CPU that the idle daemon uses."""


def write_plugin(folder: Path, name: str) -> Path:
    """Create a plugin without dependencies that answers GET /duck; return its folder."""
    plugin = folder / name
    plugin.mkdir()
    files = {"manifest.yaml": MANIFEST.format(name=name), "group.yaml": GROUP, "duck.yaml": INTERFACE}
    for file, text in {**files, "duck.py": SOURCE, "icon.svg": "<svg/>", "main.py": ""}.items():
        (plugin / file).write_text(text, "utf-8")
    return plugin


@contextmanager
def daemon_of(programs: Path, scratch: Path, *options: str) -> Iterator[tuple[int, int]]:
    """Run a daemon on ``scratch/plugins``; yield its pid and port without waiting for it, and stop it on exit."""
    port = free_port()
    with (scratch / "log").open("w+b") as log:
        process = subprocess.Popen(
            [
                *(programs / "endpointd", "serve", "--plugins", scratch / "plugins", "--state", scratch / "state"),
                *("--listen", f"127.0.0.1:{port}", *options),
            ],
            cwd=scratch,
            env=child_environment(scratch / "plugins"),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process.pid, port
        finally:
            stop(process)


def measure_density(
    programs: Path, plugins: int = 100, idle_seconds: float = 20.0, options: tuple[str, ...] = ()
) -> Density:
    """Start a daemon with this number of plugins, let it idle, and measure its processes.

    ``programs`` is the ``bin`` directory of the environment with endpointd; ``options`` are additional options of
    ``serve``. Raises BenchError if a plugin does not answer.
    """
    with tempfile.TemporaryDirectory(prefix="endpointd-density-") as directory:
        scratch = Path(directory)
        (scratch / "plugins").mkdir()
        for number in range(plugins):
            write_plugin(scratch / "plugins", f"duck{number}")
        began = time.monotonic()
        with daemon_of(programs, scratch, *options) as (daemon, port):
            for number in range(plugins):
                until_it_answers(Site(port, f"/e/duck{number}"), "/duck", scratch / "log")
            start = time.monotonic() - began
            others = children(daemon)
            cpu = processor_seconds(daemon) + sum(map(processor_seconds, others))
            # Processes that have just been started are not idle yet.
            time.sleep(3)
            before = {pid: switches(pid) for pid in [daemon, *others]}
            busy = processor_seconds(daemon)
            time.sleep(idle_seconds)
            after = {pid: switches(pid) - count for pid, count in before.items()}
            busy = processor_seconds(daemon) - busy
            memory = {pid: proportional(pid) for pid in [daemon, *others]}
            beside = [pid for pid in others if not is_worker(pid)]
        return Density(
            plugins=plugins,
            start_seconds=start,
            start_cpu_seconds=cpu,
            per_plugin=sum(memory[pid] for pid in others) / plugins,
            daemon=memory[daemon],
            beside=sum(memory[pid] for pid in beside),
            wakeups_per_plugin=sum(after[pid] for pid in others) / plugins / idle_seconds,
            wakeups_daemon=after[daemon] / idle_seconds,
            daemon_cpu=busy / idle_seconds,
        )


def until_it_answers(site: Site, path: str, log: Path, pause: float = 0.01) -> None:
    """Send requests until the answer is 200; raise BenchError, with the end of ``log``, if it never is."""
    deadline = time.monotonic() + START_SECONDS
    last = "nothing"
    while time.monotonic() < deadline:
        try:
            status, body = get(site, path)
        except OSError as error:
            last = repr(error)
        else:
            if status == 200:
                return
            last = f"{status} {body[:200]!r}"
        time.sleep(pause)
    tail = log.read_bytes()[-2000:].decode("utf-8", "replace")
    raise BenchError(f"{site.url(path)} did not answer, the last was {last}; the log ends with:\n{tail}")


# Figures of processes, from /proc


def children(pid: int) -> list[int]:
    """Return the pids of all descendants of a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *children(int(child))]
    return found


def is_worker(pid: int) -> bool:
    """Return whether a child of the daemon runs a plugin: then its working directory is a release."""
    return "/releases/" in os.readlink(f"/proc/{pid}/cwd")


def proportional(pid: int) -> int:
    """Return the proportional set size in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024


def switches(pid: int) -> int:
    """Return the number of voluntary context switches of a process's threads so far."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text().splitlines()
        total += next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return total


def processor_seconds(pid: int) -> float:
    """Return the CPU time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def main() -> None:
    """Measure with the options of the command line, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Measure what idle plugins cost.")
    parser.add_argument("--plugins", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20.0, help="time that is watched for wake-ups")
    arguments, options = parser.parse_known_args()
    found = measure_density(Path(sys.prefix) / "bin", arguments.plugins, arguments.seconds, tuple(options))
    sys.stdout.write(json.dumps(asdict(found), indent=2) + "\n")


if __name__ == "__main__":
    main()
