"""Measures several workers of one plugin: how much faster a CPU-bound plugin becomes on this machine's cores."""

import resource
import time
from collections.abc import Iterator

from load import put_under_load
from measurement import Bench, Measurement
from processes import cpu_seconds
from questions import P99, RATE, Kind, Metric, Question
from results import Sample
from running import Site, serving
from servers import BOUNDS, Server, endpointd
from workloads import RECKON

CONNECTIONS = 16
WARM_UP_SECONDS = 1

LOAD, HOST = Metric("load_cpu", "load generator, processors"), Metric("host_cpu", "host, processors")
QUESTION = Question(
    "several",
    "A plugin that computes, with one worker and with two",
    f"`bench/plugins/reckon` sums squares for some milliseconds, over {CONNECTIONS} connections. What the load "
    "generator and the host use of the processors, the workers cannot have.",
    (RATE, P99, LOAD, HOST),
    Kind.PLAIN,
)


def name_of(workers: int) -> str:
    """Return the name of the subject with this number of workers."""
    return f"workers = {workers}"


def take(bench: Bench) -> Iterator[Sample]:
    """Yield the rates with one worker and with two, alternately."""
    for _ in bench.rounds():
        for workers in (1, 2):
            server = Server(name_of(workers), "", endpointd(*BOUNDS, "--workers", str(workers)), "/e/{plugin}")
            with serving(server, bench.programs, RECKON) as site:
                put_under_load(bench.wrk, site, RECKON, CONNECTIONS, WARM_UP_SECONDS)
                yield measured(bench, site, workers)


def measured(bench: Bench, site: Site, workers: int) -> Sample:
    """Return one run, and how many CPUs the load generator and the host used meanwhile."""
    began, host, load = time.monotonic(), cpu_seconds(site.pid), children_seconds()
    run = put_under_load(bench.wrk, site, RECKON, CONNECTIONS, bench.plan.seconds)
    seconds = time.monotonic() - began
    load_cpu, host_cpu = (children_seconds() - load) / seconds, (cpu_seconds(site.pid) - host) / seconds
    return run.sample(QUESTION.name, name_of(workers), load_cpu=load_cpu, host_cpu=host_cpu)


def children_seconds() -> float:
    """Return the CPU time of all ended children: while a server runs, it grows only by that of load generators."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


MEASUREMENT = Measurement("several", (QUESTION,), take)
