"""Measures restarts under load: the effect on requests."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from endpointd.admin.client import Client
from load import put_under_load
from measurement import Bench, Measurement
from pace import Asked, latencies, pacing
from processes import PROC
from questions import P50, P99, RATE, Kind, Metric, Question
from results import Sample
from running import Site, serving
from sdk import worker_of
from servers import ENDPOINTD
from workloads import DUCK

WITHOUT, DURING = "without", "during restarts"
CONNECTIONS = 32
WARM_UP_SECONDS = 1
RESTARTS = 3
LOOK = 0.005

FAILED, RESTARTED = Metric("failed", "failed"), Metric("restarts", "restarts")
PACED = Question(
    "restart-paced",
    "Restarts at a pace of 400 requests a second",
    "`duck` over 8 connections, by clients in a process of their own. *During restarts* are the requests that were "
    "under way at some moment between the command to restart and the end of the old worker; there are three restarts "
    "in a round. A first command came before, for which the daemon loads what answers commands (else it does so ten "
    "seconds after its start): that stops requests once for some 15 ms.",
    (P99, P50, FAILED, RESTARTED),
    Kind.PLAIN,
)
FULL = Question(
    "restart-full",
    "Restarts, one after the other, under full load",
    "`duck` over 32 connections that wrk keeps busy: the start of a worker takes a processor from who serves.",
    (P99, P50, RATE, FAILED, RESTARTED),
    Kind.PLAIN,
)


def take(bench: Bench) -> Iterator[Sample]:
    """Yield latencies and failures with and without restarts, at a fixed pace and under full load."""
    for _ in bench.rounds():
        with serving(ENDPOINTD, bench.programs, DUCK) as site, Client(site.state) as admin:
            put_under_load(bench.wrk, site, DUCK, CONNECTIONS, WARM_UP_SECONDS)
            # The daemon imports the administration's API at the first command, or some time after its start.
            admin.plugins()
            yield from paced(site, admin, bench.plan.seconds)
            yield put_under_load(bench.wrk, site, DUCK, CONNECTIONS, bench.plan.seconds).sample(FULL.name, WITHOUT)
            yield full(bench, site, admin)


def paced(site: Site, admin: Client, quiet: float) -> Iterator[Sample]:
    """Yield the latencies of requests at a fixed pace, with and without restarts."""
    with pacing(site, DUCK) as clients:
        time.sleep(quiet)
        windows = []
        for _ in range(RESTARTS):
            began = time.monotonic()
            restart(admin)
            windows.append((began, time.monotonic()))
            time.sleep(quiet / RESTARTS)
    asked = clients.asked
    during = [one for one in asked if any(one.ended > begin and one.began < end for begin, end in windows)]
    kept = set(during)
    yield paced_sample(WITHOUT, [one for one in asked if one not in kept], 0)
    yield paced_sample(DURING, during, len(windows))


def paced_sample(subject: str, asked: list[Asked], restarts: int) -> Sample:
    """Return the requests as a sample."""
    wrong = sum(not one.right for one in asked)
    figures = {**latencies(asked), "failed": wrong, "restarts": restarts}
    return Sample(PACED.name, subject, figures, wrong)


def full(bench: Bench, site: Site, admin: Client) -> Sample:
    """Return a run of wrk during which the plugin is restarted again and again."""
    with ThreadPoolExecutor(1) as pool:
        load = pool.submit(put_under_load, bench.wrk, site, DUCK, CONNECTIONS, bench.plan.seconds)
        restarts = 0
        while not load.done():
            restart(admin)
            restarts += 1
        run = load.result()
    return run.sample(FULL.name, DURING, failed=run.failures, restarts=restarts)


def restart(admin: Client) -> None:
    """Restart the only plugin; return when its old worker has ended."""
    (plugin,) = admin.plugins()
    old = worker_of(admin)
    admin.act("restart", plugin["id"])
    while (PROC / str(old)).exists():
        time.sleep(LOOK)


MEASUREMENT = Measurement("restart", (PACED, FULL), take)
