"""Measures event streams that stay open: the memory of each, and their effect on the requests of another plugin.

``python bench/open_streams.py [STREAMS [thread|task]]`` measures one case alone, and prints its figures as JSON.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from enum import Enum
from pathlib import Path

from client_process import ClientProcess, clients
from endpointd.admin.client import Client
from errors import BenchError
from measurement import Bench, Measurement
from pace import Asked, latencies, pacing
from processes import cpu_seconds, pss
from questions import P50, P99, Kind, Metric, Question
from results import Sample
from running import Site, get, serving
from servers import BOUNDS, Server, endpointd
from workloads import BENCH, DUCK

PLUGIN = BENCH / "plugins" / "events"
SETTLE_SECONDS = 12.0
"""Longer than two intervals of the events, so that each stream has had at least two events when it ends."""
START_SECONDS = 60.0
CONCURRENCY = 1024
"""The largest value of the setting. With threads, each stream occupies one."""


class Way(Enum):
    """How the plugin answers."""

    THREAD = "thread"
    TASK = "task"


OPEN = Question(
    "open-streams",
    "Open event streams",
    "Streams of one plugin with an event each 5 s, held open by clients in a process of their own: a thread each "
    "(`concurrency = 1024`), or as tasks (`async def`, no setting). *Before* and *during*: `duck`, another plugin, "
    "at a pace of 400 requests a second. Memory is what host and worker have more of it (proportional set size), "
    "divided by the streams; the processor's time is what both take while the streams are open, `duck` included.",
    (
        P99,
        Metric("before_ms", "p99 ms before"),
        P50,
        Metric("served", "served"),
        Metric("open_s", "all open after s"),
        Metric("worker_kib", "KiB a stream, worker"),
        Metric("host_kib", "KiB a stream, host"),
        Metric("cpu", "processors busy"),
    ),
    Kind.PLAIN,
)


def take(bench: Bench) -> Iterator[Sample]:
    """Yield the cost of 1,000 streams with threads and of 5,000 with tasks, or of fewer if the plan says so."""
    share = bench.plan.largest
    for _ in bench.rounds():
        yield measure(bench.programs, 1000 * share // 100, Way.THREAD)
        yield measure(bench.programs, 5000 * share // 100, Way.TASK)


def measure(programs: Path, streams: int, way: Way, seconds: float = SETTLE_SECONDS) -> Sample:
    """Return the cost of this number of open streams; ``programs`` is the directory of the program ``endpointd``."""
    options = ("--concurrency", str(CONCURRENCY)) if way is Way.THREAD else ()
    server = Server("endpointd", "", endpointd(*BOUNDS, *options), "/e/{plugin}")
    with serving(server, programs, DUCK, lambda plugins: add_events(plugins, way)) as site:
        events = Site(site.port, "/e/events", site.pid, site.state)
        worker = wait_for_worker(events)
        warm_up(events, worker)
        before = ask_others(site, seconds)
        memory = pss(site.pid), pss(worker)
        began = time.monotonic()
        with listening(events, streams) as listeners:
            opened = time.monotonic() - began
            busy = cpu_seconds(site.pid) + cpu_seconds(worker)
            during = ask_others(site, seconds)
            busy = (cpu_seconds(site.pid) + cpu_seconds(worker) - busy) / seconds
            grown = pss(site.pid) - memory[0], pss(worker) - memory[1]
            outcome = listeners.enough()
    figures = {
        **latencies(during),
        "before_ms": latencies(before)["p99_ms"],
        "served": outcome["served"],
        "open_s": opened,
        "worker_kib": grown[1] / streams / 1024,
        "host_kib": grown[0] / streams / 1024,
        "cpu": busy,
    }
    failures = streams - outcome["served"] + sum(not one.right for one in during)
    problem = f"{failures} streams or requests were not served" if failures else None
    return Sample(OPEN.name, f"{streams} streams, a {way.value} each", figures, failures, problem)


def add_events(plugins: Path, way: Way) -> None:
    """Add the plugin with the streams to a directory of plugins."""
    folder = plugins / PLUGIN.name
    shutil.copytree(PLUGIN, folder, ignore=shutil.ignore_patterns("__pycache__"))
    source, other = folder / "endpoints" / "events.py", folder / "endpoints" / "events_async.py"
    if way is Way.TASK:
        other.replace(source)
    else:
        other.unlink()


def wait_for_worker(site: Site) -> int:
    """Wait until the worker of the plugin with the streams is ready; return its pid."""
    deadline = time.monotonic() + START_SECONDS
    with Client(site.state) as admin:
        while time.monotonic() < deadline:
            for plugin in admin.plugins():
                if plugin["id"] == f"endpointd/{PLUGIN.name}" and plugin["state"] == "RUNNING":
                    pid: int = plugin["worker"]["pid"]
                    return pid
            time.sleep(0.05)
    raise BenchError(f"the plugin {PLUGIN.name} did not start within {START_SECONDS:g} s")


def warm_up(site: Site, worker: int) -> None:
    """Open and close a few streams, so that what is imported or created for the first ones is not measured."""
    with listening(site, 8) as listeners:
        listeners.enough()
    status, _ = get(site, "/nothing")
    if status != 404 or not pss(worker):
        raise BenchError(f"the plugin {PLUGIN.name} does not answer as it must: {status}")


def listening(site: Site, streams: int) -> AbstractContextManager[ClientProcess]:
    """Return the context of the clients' process, which is entered when each stream has had its first event."""
    return clients("stream_clients.py", site.port, f"{site.prefix}/events", streams)


def ask_others(site: Site, seconds: float) -> list[Asked]:
    """Send requests to the other plugin at a fixed pace."""
    with pacing(site, DUCK) as paced:
        time.sleep(seconds)
    return paced.asked


MEASUREMENT = Measurement("open-streams", (OPEN,), take)


def main() -> None:
    """Measure once, with the programs of this interpreter's environment."""
    streams = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    way = Way(sys.argv[2]) if len(sys.argv) > 2 else Way.TASK
    sample = measure(Path(sys.executable).parent, streams, way)
    sys.stdout.write(json.dumps({"subject": sample.subject, **sample.figures, "failures": sample.failures}) + "\n")


if __name__ == "__main__":
    main()
