"""Measures a daemon with very many plugins, few of which are used; the others sleep until a request comes.

Can be run by itself: ``.venv/bin/python bench/sleeping.py --installed 1000 --used 10``.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from density import children, daemon_of, processor_seconds, proportional, switches, write_plugin
from errors import BenchError
from measurement import Bench, Measurement
from processes import MIB
from questions import Kind, Metric, Question
from results import Sample
from running import Site, get

INSTALLED = 1000
USED = 10
IDLE_SECONDS = 10.0
SETTLE_SECONDS = 3.0
LISTEN_SECONDS = 300.0
PAUSE = 0.02
OPTIONS = ("--start", "on-demand")

SLEEPING = Question(
    "sleeping",
    "A thousand installed plugins, of which ten are used",
    "With ``start = on-demand``: each of the ten is asked once, which starts its worker, and then all rest. Memory is "
    "the proportional set size of all processes, the host among them. Started anew means with the releases of the "
    "first start.",
    (
        Metric("memory_mib", "MiB in all"),
        Metric("host_mib", "MiB, host"),
        Metric("first_ms", "first request, ms, median"),
        Metric("first_slowest_ms", "the slowest"),
        Metric("start_s", "first start, s"),
        Metric("again_s", "started anew, s"),
        Metric("host_percent", "% of a processor, host at rest"),
        Metric("installed", "plugins"),
    ),
    Kind.PLAIN,
)


@dataclass(frozen=True, slots=True)
class Sleep:
    """The cost of sleeping plugins. Memory is the proportional set size in bytes."""

    installed: int
    used: int
    first_start_seconds: float
    first_start_cpu: float
    start_seconds: float
    start_cpu: float
    asleep: int
    """Memory of all processes before the first request."""
    memory: int
    """Memory of all processes when ``used`` plugins have a worker."""
    host: int
    first_requests: tuple[float, ...]
    """The durations in seconds of the first request to each of the used plugins."""
    host_cpu: float
    """The share of one CPU that the host uses while there are no requests."""
    wakeups: float
    """Voluntary context switches of the host per second."""


def measure_sleeping(
    programs: Path,
    installed: int = INSTALLED,
    used: int = USED,
    idle_seconds: float = IDLE_SECONDS,
    options: tuple[str, ...] = OPTIONS,
) -> Sleep:
    """Start a daemon with ``installed`` plugins twice, send a request to ``used`` of them, and let it idle.

    ``programs`` is the ``bin`` directory of the environment with endpointd. Raises BenchError if a plugin does not
    answer.
    """
    with tempfile.TemporaryDirectory(prefix="endpointd-sleeping-") as directory:
        scratch = Path(directory)
        (scratch / "plugins").mkdir()
        for number in range(installed):
            write_plugin(scratch / "plugins", f"duck{number}")
        began = time.monotonic()
        with daemon_of(programs, scratch, *options) as (daemon, port):
            until_it_listens(port, scratch / "log")
            first_start, first_cpu = time.monotonic() - began, processor_seconds(daemon)
        began = time.monotonic()
        with daemon_of(programs, scratch, *options) as (daemon, port):
            until_it_listens(port, scratch / "log")
            start, cpu = time.monotonic() - began, processor_seconds(daemon)
            # A daemon that has just been started is not idle yet.
            time.sleep(SETTLE_SECONDS)
            asleep = in_all(daemon)
            chosen = [number * installed // used for number in range(used)]
            requests = tuple(first_request(port, f"duck{number}") for number in chosen)
            time.sleep(SETTLE_SECONDS)
            busy, woken = processor_seconds(daemon), switches(daemon)
            time.sleep(idle_seconds)
            busy, woken = processor_seconds(daemon) - busy, switches(daemon) - woken
            return Sleep(
                installed=installed,
                used=used,
                first_start_seconds=first_start,
                first_start_cpu=first_cpu,
                start_seconds=start,
                start_cpu=cpu,
                asleep=asleep,
                memory=in_all(daemon),
                host=proportional(daemon),
                first_requests=requests,
                host_cpu=busy / idle_seconds,
                wakeups=woken / idle_seconds,
            )


def until_it_listens(port: int, log: Path) -> None:
    """Wait until the daemon answers: until a request for an unknown path is answered with 404."""
    deadline = time.monotonic() + LISTEN_SECONDS
    while time.monotonic() < deadline:
        try:
            if get(Site(port, ""), "/e/nobody/")[0] == 404:
                return
        except OSError:
            pass
        time.sleep(PAUSE)
    tail = log.read_bytes()[-2000:].decode("utf-8", "replace")
    raise BenchError(f"the daemon did not come to listen; its log ends with:\n{tail}")


def first_request(port: int, name: str) -> float:
    """Send a request to a plugin; return the seconds until its answer."""
    began = time.monotonic()
    status, body = get(Site(port, f"/e/{name}"), "/duck")
    if status != 200:
        raise BenchError(f"{name} answered {status} {body[:200]!r}")
    return time.monotonic() - began


def in_all(daemon: int) -> int:
    """Return the memory of a daemon and all of its descendants, in bytes."""
    return sum(map(proportional, [daemon, *children(daemon)]))


def take(bench: Bench) -> Iterator[Sample]:
    """Yield the cost of a thousand plugins, or of fewer if the plan says so."""
    installed = max(USED, INSTALLED * bench.plan.largest // 100)
    for _ in bench.rounds():
        found = measure_sleeping(bench.programs, installed)
        requests = sorted(found.first_requests)
        figures = {
            "memory_mib": found.memory / MIB,
            "host_mib": found.host / MIB,
            "first_ms": requests[len(requests) // 2] * 1000,
            "first_slowest_ms": requests[-1] * 1000,
            "start_s": found.first_start_seconds,
            "again_s": found.start_seconds,
            "host_percent": found.host_cpu * 100,
            "installed": found.installed,
        }
        yield Sample(SLEEPING.name, "endpointd", figures)


MEASUREMENT = Measurement("sleeping", (SLEEPING,), take)


def main() -> None:
    """Measure with the options of the command line, and print the figures as JSON."""
    parser = argparse.ArgumentParser(description="Measure what plugins that sleep cost.")
    parser.add_argument("--installed", type=int, default=INSTALLED)
    parser.add_argument("--used", type=int, default=USED)
    parser.add_argument("--seconds", type=float, default=IDLE_SECONDS, help="time that the host is watched at rest")
    arguments, options = parser.parse_known_args()
    found = measure_sleeping(
        Path(sys.prefix) / "bin", arguments.installed, arguments.used, arguments.seconds, (*OPTIONS, *options)
    )
    sys.stdout.write(json.dumps(asdict(found), indent=2) + "\n")


if __name__ == "__main__":
    main()
