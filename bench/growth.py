"""Measures how costs grow with the number of plugins, routes and connections, and with the size of a body."""

import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise

from endpointd.admin.client import Client
from errors import BenchError
from folders import copies, with_routes
from load import put_all_under_load, put_under_load
from measurement import Bench, Measurement
from processes import MIB, forget_peak, peak, tree_pss
from questions import P99, RATE, Kind, Metric, Question
from results import Results, Sample
from running import Site, serving
from sdk import worker_of
from servers import ENDPOINTD
from transfer import upload
from workloads import DUCK, STREAM

PLUGINS = (1, 3, 10, 30, 100, 300)
ROUTES = (1, 10, 100, 1000)
CONNECTIONS = (1, 10, 100, 500, 1000, 2000)
BODIES = (0, 1000, 10**6, 10**7, 10**8, 10**9)
LOAD_CONNECTIONS = 32
WARM_UP_SECONDS = 1
START_SECONDS = 300.0
LOOK = 0.1

ALL_MEMORY = Metric("memory_mib", "MiB, host and workers")
BOTH = Metric("memory_mib", "MiB, host and worker")

BY_PLUGINS = Question(
    "growth-plugins",
    "Growth with the number of plugins",
    "Copies of `duck`, all running, asked in turn over 32 connections. Memory is the proportional set size of the "
    "host and all that it started. Dotted in these plots: growth in proportion.",
    (RATE, ALL_MEMORY),
    Kind.GROWTH,
    "plugins",
    plot=True,
)
BY_ROUTES = Question(
    "growth-routes",
    "Growth with the number of routes of a plugin",
    "`duck` with more routes, each with a parameter; the last of them is asked over 32 connections.",
    (RATE, BOTH),
    Kind.GROWTH,
    "routes",
    plot=True,
)
BY_CONNECTIONS = Question(
    "growth-connections",
    "Growth with the number of connections",
    "`duck` over that many busy connections.",
    (RATE, BOTH, P99),
    Kind.GROWTH,
    "connections",
    plot=True,
)
BY_BODY = Question(
    "growth-body",
    "Growth with the size of a body",
    "One request with a body of that size, which the plugin reads and counts. Memory is the sum of the largest "
    "resident sets of host and worker meanwhile.",
    (Metric("ms", "ms"), BOTH),
    Kind.GROWTH,
    "bytes",
    plot=True,
)


def take(bench: Bench) -> Iterator[Sample]:
    """Yield the costs, size by size.

    The daemon is started once per size for all rounds, because starting hundreds of plugins takes long. Each run is
    half as long as in other measurements.
    """
    bench = replace(bench, plan=replace(bench.plan, seconds=max(1, bench.plan.seconds // 2)))
    yield from by_plugins(bench)
    yield from by_routes(bench)
    yield from by_connections(bench)
    yield from by_body(bench)


def by_plugins(bench: Bench) -> Iterator[Sample]:
    """Yield the rates and the memory of daemons with growing numbers of plugins."""
    for number in bench.plan.sizes(*PLUGINS):
        bench.tell(f"    {number} plugins")
        with serving(ENDPOINTD, bench.programs, DUCK, partial(copies, number=number)) as site:
            await_running(site, number)
            paths = [f"/duck{each or ''}{DUCK.path}" for each in range(number)]
            root = replace(site, prefix="/e")
            put_all_under_load(bench.wrk, root, paths, LOAD_CONNECTIONS, WARM_UP_SECONDS)
            for _ in range(bench.plan.rounds):
                run = put_all_under_load(bench.wrk, root, paths, LOAD_CONNECTIONS, bench.plan.seconds)
                yield run.sample(BY_PLUGINS.name, str(number), memory_mib=tree_pss(site.pid) / MIB)


def by_routes(bench: Bench) -> Iterator[Sample]:
    """Yield the rates and the memory of a plugin with growing numbers of routes."""
    for number in bench.plan.sizes(*ROUTES):
        bench.tell(f"    {number} routes")
        path = f"/route{number - 2}/endpointd" if number > 1 else DUCK.path
        workload = replace(DUCK, path=path)
        with serving(ENDPOINTD, bench.programs, workload, partial(with_routes, number=number)) as site:
            put_under_load(bench.wrk, site, workload, LOAD_CONNECTIONS, WARM_UP_SECONDS)
            for _ in range(bench.plan.rounds):
                run = put_under_load(bench.wrk, site, workload, LOAD_CONNECTIONS, bench.plan.seconds)
                yield run.sample(BY_ROUTES.name, str(number), memory_mib=tree_pss(site.pid) / MIB)


def by_connections(bench: Bench) -> Iterator[Sample]:
    """Yield the rates and the memory of one plugin with growing numbers of connections."""
    sizes = bench.plan.sizes(*CONNECTIONS)
    with serving(ENDPOINTD, bench.programs, DUCK) as site:
        put_under_load(bench.wrk, site, DUCK, LOAD_CONNECTIONS, WARM_UP_SECONDS)
        for number in sizes:
            bench.tell(f"    {number} connections")
            for _ in range(bench.plan.rounds):
                run = put_under_load(bench.wrk, site, DUCK, number, bench.plan.seconds)
                yield run.sample(BY_CONNECTIONS.name, str(number), memory_mib=tree_pss(site.pid) / MIB)


def by_body(bench: Bench) -> Iterator[Sample]:
    """Yield the time and the memory for bodies of growing size."""
    with serving(ENDPOINTD, bench.programs, STREAM) as site, Client(site.state) as admin:
        processes = (site.pid, worker_of(admin))
        upload(site, BODIES[1])
        for size in bench.plan.sizes(*BODIES):
            bench.tell(f"    {size} bytes")
            for _ in range(bench.plan.rounds):
                for pid in processes:
                    forget_peak(pid)
                moved = upload(site, size)
                figures = {"ms": moved.seconds * 1000, "memory_mib": sum(map(peak, processes)) / MIB}
                yield Sample(BY_BODY.name, str(size), figures, moved.failures, moved.problem)


def await_running(site: Site, number: int) -> None:
    """Wait until this number of plugins run; raise BenchError if they do not."""
    deadline = time.monotonic() + START_SECONDS
    with Client(site.state) as admin:
        while (states := Counter(plugin["state"] for plugin in admin.plugins()))["RUNNING"] < number:
            if time.monotonic() > deadline:
                raise BenchError(f"after {START_SECONDS:g} s not all of {number} plugins run: {dict(states)}")
            time.sleep(LOOK)


def exponent(question: Question, metric: str, results: Results) -> float | None:
    """Return the largest exponent of a cost's growth between neighbouring sizes: 1 is growth in proportion.

    If the metric is a rate, the cost is its inverse, the time for one request. Returns None without at least two sizes
    above zero.
    """
    points = []
    for subject in results.subjects(question.name):
        middle = results.middle(question.name, subject, metric)
        if middle and float(subject) > 0:
            points.append((math.log(float(subject)), math.log(middle) * (-1 if metric == RATE.name else 1)))
    slopes = [(above[1] - below[1]) / (above[0] - below[0]) for below, above in pairwise(points)]
    return max(slopes, default=None)


QUESTIONS = (BY_PLUGINS, BY_ROUTES, BY_CONNECTIONS, BY_BODY)
MEASUREMENT = Measurement("growth", QUESTIONS, take)
