"""Measures plugins with the original SDK: endpointd compared with that SDK's own runtime."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from endpointd.admin.client import Client
from errors import BenchError
from load import put_under_load
from measurement import Bench, Measurement
from processes import MIB, pss
from questions import P50, P99, RATE, Kind, Metric, Question
from results import Sample
from running import Site, ask, serving
from sdk_runtime import runtime
from servers import BOUNDS, ENDPOINTD, Server, endpointd
from toolchain import SDK, prepare_sdk
from workloads import DOCUMENT, DUCK, Workload

OWN_RUNTIME = "SDK's own runtime"
WITH_SDK = "endpointd, SDK"
IN_FLIGHT = 32
WARM_UP_SECONDS = 1
LONGEST_START = 60.0
LOOK = 0.002

HOW = (
    "The SDK's own runtime is driven over its stdio protocol with 32 requests in flight and no HTTP server before it. "
    "*endpointd, SDK* is the same plugin in an environment with the same SDK on the same Python, over HTTP with 32 "
    "connections; *endpointd* the same without the SDK."
)
START_HOW = (
    "Start: from the start of the process, or of the stopped plugin in a running daemon, to the first right answer. "
    "Memory: the worker's proportional set size after the load."
)
DUCK_QUESTION = Question("sdk-duck", "`duck` with the original SDK", HOW, (RATE, P50, P99), plot=True)
DOCUMENT_QUESTION = Question("sdk-document", "`document` with the original SDK", HOW, (RATE, P50, P99))
START_QUESTION = Question(
    "sdk-start",
    "Start and memory with the original SDK",
    START_HOW,
    (Metric("start_ms", "start ms"), Metric("memory_mib", "MiB")),
    Kind.PLAIN,
)
WORKLOADS = ((DUCK_QUESTION, DUCK), (DOCUMENT_QUESTION, DOCUMENT))


def take(bench: Bench) -> Iterator[Sample]:
    """Yield the runs of endpointd with and without the SDK, and of the SDK's own runtime."""
    python = prepare_sdk()
    with tempfile.TemporaryDirectory(prefix="endpointd-bench-") as kept:
        server = with_sdk(Path(kept), python)
        for _ in bench.rounds():
            for question, workload in WORKLOADS:
                yield from own_runtime(bench, python, question, workload)
                yield from served(bench, server, question, workload, require_sdk)
                yield from served(bench, ENDPOINTD, question, workload)


def with_sdk(kept: Path, python: Path) -> Server:
    """Return endpointd with environments that are kept between its runs, on the interpreter of the SDK's runtime."""
    cache = os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv"
    places = ("--environments", kept / "environments", "--uv-cache", cache, "--python-interpreters", python.resolve())
    return Server(WITH_SDK, "", endpointd(*BOUNDS, *map(str, places)), ENDPOINTD.prefix)


def require_sdk(plugins: Path) -> None:
    """Add the SDK to the requirements of the plugins in a directory, and convert their settings to a list, as it
    requires.
    """
    for plugin in plugins.iterdir():
        (plugin / "requirements.txt").write_text(SDK + "\n", "utf-8")
        for file in (plugin / "group").glob("*.yaml"):
            group = yaml.safe_load(file.read_text("utf-8"))
            if isinstance(group["settings"], dict):
                group["settings"] = [{"name": name, **setting} for name, setting in group["settings"].items()]
                file.write_text(yaml.safe_dump(group), "utf-8")


def own_runtime(bench: Bench, python: Path, question: Question, workload: Workload) -> Iterator[Sample]:
    """Yield the samples of the SDK's own runtime."""
    bench.tell(f"    {OWN_RUNTIME}, {workload.plugin.name}")
    with tempfile.TemporaryDirectory(prefix="endpointd-bench-") as scratch:
        plugin = Path(scratch) / workload.plugin.name
        shutil.copytree(workload.plugin, plugin, ignore=shutil.ignore_patterns("tests", "__pycache__"))
        require_sdk(plugin.parent)
        # The first start compiles the plugin.
        with runtime(python, plugin, workload) as running:
            running.ask_once()
        began = time.perf_counter()
        with runtime(python, plugin, workload) as running:
            running.ask_once()
            start = time.perf_counter() - began
            running.put_under_load(IN_FLIGHT, WARM_UP_SECONDS)
            run = running.put_under_load(IN_FLIGHT, bench.plan.seconds)
            yield run.sample(question.name, OWN_RUNTIME)
            if workload is DUCK:
                yield started(OWN_RUNTIME, start, pss(running.pid))


def served(
    bench: Bench, server: Server, question: Question, workload: Workload, prepare: Callable[[Path], None] | None = None
) -> Iterator[Sample]:
    """Yield the samples of endpointd."""
    bench.tell(f"    {server.name}, {workload.plugin.name}")
    with serving(server, bench.programs, workload, *filter(None, [prepare])) as site, Client(site.state) as admin:
        start = time_of_start(admin, site, workload) if workload is DUCK else 0.0
        put_under_load(bench.wrk, site, workload, IN_FLIGHT, WARM_UP_SECONDS)
        run = put_under_load(bench.wrk, site, workload, IN_FLIGHT, bench.plan.seconds)
        yield run.sample(question.name, server.name)
        if workload is DUCK:
            yield started(server.name, start, pss(worker_of(admin)))


def time_of_start(admin: Client, site: Site, workload: Workload) -> float:
    """Stop the only plugin; return the seconds from its start to the right answer."""
    (plugin,) = admin.plugins()
    admin.act("stop", plugin["id"])
    began = time.perf_counter()
    admin.act("start", plugin["id"])
    while time.perf_counter() < began + LONGEST_START:
        if ask(site, workload) == (200, workload.answer):
            return time.perf_counter() - began
        time.sleep(LOOK)
    raise BenchError(f"{plugin['id']} was stopped and started, and gave no right answer in {LONGEST_START:g} s")


def worker_of(admin: Client) -> int:
    """Return the pid of the only plugin's worker; raise BenchError if it has none."""
    (plugin,) = admin.plugins()
    if plugin["worker"] is None:
        raise BenchError(f"{plugin['id']} has no worker: {plugin['state']}, {plugin['failure']}")
    pid: int = plugin["worker"]["pid"]
    return pid


def started(subject: str, seconds: float, memory: int) -> Sample:
    """Return a start as a sample."""
    return Sample(START_QUESTION.name, subject, {"start_ms": seconds * 1000, "memory_mib": memory / MIB})


MEASUREMENT = Measurement("sdk", (DUCK_QUESTION, DOCUMENT_QUESTION, START_QUESTION), take)
