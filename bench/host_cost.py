"""Measures the CPU time that the host uses for each request, and how it is divided among the host's parts."""

import http.client
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from attribution import shares
from endpointd.admin.client import Client
from endpointd.admin.sockets import SOCKET
from errors import BenchError
from load import LoadRun, put_under_load
from measurement import Bench, Measurement
from processes import cpu_seconds
from questions import RATE, Kind, Metric, Question
from results import Sample
from running import Site, serving
from sdk import worker_of
from servers import BOUNDS, ENDPOINTD, Server, endpointd
from workloads import DUCK

CONNECTIONS = 32
WARM_UP_SECONDS = 1
SCRAPE_SECONDS = 1.0
SAMPLES_A_SECOND = 400

PLAIN = ENDPOINTD
LOGGING = Server("with a log of requests", "", endpointd(*BOUNDS, "--log-requests"), ENDPOINTD.prefix)
SCRAPED = "with that, and /metrics asked for each second"

COST = Question(
    "host-cost",
    "The host's processor time for a request",
    "`duck` over 32 connections; user and system time of the host's process (and of the worker's) over the load, "
    "divided by the requests. Metrics are counted in any case.",
    (Metric("host_us", "host µs"), Metric("worker_us", "worker µs"), RATE),
    Kind.PLAIN,
)
SPLIT = Question(
    "host-split",
    "The host's processor time by what it is spent on",
    "py-spy looks at the host's stack 400 times a second under that load, with the log of requests and metrics asked "
    "for; a sample counts for the innermost function that has a part (`bench/attribution.py` says which). The shares "
    "are of the time that was measured without py-spy, in the last line of the table above. System calls count where "
    "they are made, reading as part of the event loop.",
    (Metric("us", "µs"), Metric("percent", "%")),
    Kind.PLAIN,
)


def take(bench: Bench) -> Iterator[Sample]:
    """Yield the cost with the defaults, with a log of requests, and with log and metrics; and the parts of the last."""
    for _ in bench.rounds():
        with serving(PLAIN, bench.programs, DUCK) as site:
            yield cost(bench, site, PLAIN.name)
        with serving(LOGGING, bench.programs, DUCK) as site:
            yield cost(bench, site, LOGGING.name)
            with scraping(site.state):
                whole = cost(bench, site, SCRAPED)
                yield whole
                yield from split(bench, site, whole.figures["host_us"])


def cost(bench: Bench, site: Site, subject: str) -> Sample:
    """Return the CPU time of host and worker per request, in microseconds."""
    put_under_load(bench.wrk, site, DUCK, CONNECTIONS, WARM_UP_SECONDS)
    with Client(site.state) as admin:
        worker = worker_of(admin)
    before = cpu_seconds(site.pid), cpu_seconds(worker)
    run = put_under_load(bench.wrk, site, DUCK, CONNECTIONS, bench.plan.seconds)
    after = cpu_seconds(site.pid), cpu_seconds(worker)
    requests = max(1.0, run.rate * bench.plan.seconds)
    host, worker_time = ((late - early) / requests * 1e6 for early, late in zip(before, after, strict=True))
    return run.sample(COST.name, subject, host_us=host, worker_us=worker_time)


def split(bench: Bench, site: Site, host_us: float) -> Iterator[Sample]:
    """Yield the share of each part of the host in ``host_us``, the microseconds per request."""
    profile, busy, run = profiled(bench, site)
    try:
        found = shares(profile, busy)
    except ValueError as error:
        raise BenchError(f"py-spy saw nothing of the host: {error}") from error
    for part, share in found.items():
        figures = {"us": share * host_us, "percent": share * 100}
        yield Sample(SPLIT.name, part, figures, run.failures, run.problem)


def profiled(bench: Bench, site: Site) -> tuple[str, float, LoadRun]:
    """Return the host's folded stacks under load from py-spy, the share of time that it used the CPU, and the load."""
    seconds = bench.plan.seconds
    profile = site.state / "profile"
    command = [str(bench.programs / "py-spy"), "record", "--pid", str(site.pid), "--idle", "--format", "raw"]
    command += ["--output", str(profile), "--duration", str(seconds), "--rate", str(SAMPLES_A_SECOND)]
    with ThreadPoolExecutor(1) as pool:
        # Longer than py-spy samples, because it needs some time to start.
        load = pool.submit(put_under_load, bench.wrk, site, DUCK, CONNECTIONS, seconds + 2)
        began, before = time.monotonic(), cpu_seconds(site.pid)
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        busy = (cpu_seconds(site.pid) - before) / (time.monotonic() - began)
        run = load.result()
    if done.returncode or not profile.exists():
        raise BenchError(f"py-spy could not look at the host (it needs root, or leave to trace): {done.stderr.strip()}")
    return profile.read_text("utf-8"), busy, run


@contextmanager
def scraping(state: Path) -> Iterator[None]:
    """Request the metrics every second, as often as Prometheus at most, while the block runs; BenchError on failure."""
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(SCRAPE_SECONDS):
            connection = UnixConnection(state / SOCKET)
            connection.request("GET", "/metrics")
            response = connection.getresponse()
            if not response.read() or response.status != http.client.OK:
                raise BenchError(f"/metrics answered {response.status}")
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        scraper = pool.submit(scrape)
        try:
            yield
        finally:
            over.set()
        scraper.result()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("endpointd", timeout=10)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


MEASUREMENT = Measurement("host", (COST, SPLIT), take)
