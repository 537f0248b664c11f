"""Measures the rate and the latency of small requests, compared with the peers."""

from collections.abc import Iterator

from load import put_under_load
from measurement import Bench, Measurement
from questions import P50, P99, RATE, Question
from results import Sample
from running import serving
from servers import SERVERS
from workloads import DOCUMENT, DUCK, Workload

DUCK_CONNECTIONS = (1, 32, 256)
DOCUMENT_CONNECTIONS = (1, 32, 256)
# Long enough to fill every cache and thread pool. Done with the largest number of connections, which starts the most
# threads.
WARM_UP_SECONDS = 1

DUCK_HOW = (
    "`plugins/duck`, the documentation's example: one path parameter, one chunk. wrk with one thread over connections "
    "that are kept open."
)
DOCUMENT_HOW = (
    "`bench/plugins/document`: a POST with 20 headers and 4 KiB of JSON, which is parsed, and answered with as much."
)


def questions(name: str, how: str, numbers: tuple[int, ...]) -> tuple[Question, ...]:
    """Return one question for each number of connections."""
    return tuple(
        Question(f"{name}-{number}", f"`{name}`, connections: {number}", how, (RATE, P50, P99), plot=number == 32)
        for number in numbers
    )


def take(bench: Bench, name: str, workload: Workload, numbers: tuple[int, ...]) -> Iterator[Sample]:
    """Yield the runs of wrk against every server, with each number of connections."""
    for server in bench.turns(SERVERS):
        with serving(server, bench.programs, workload) as site:
            put_under_load(bench.wrk, site, workload, max(numbers), WARM_UP_SECONDS)
            for connections in numbers:
                run = put_under_load(bench.wrk, site, workload, connections, bench.plan.seconds)
                yield run.sample(f"{name}-{connections}", server.name)


DUCKS = Measurement(
    "duck",
    questions("duck", DUCK_HOW, DUCK_CONNECTIONS),
    lambda bench: take(bench, "duck", DUCK, DUCK_CONNECTIONS),
)
DOCUMENTS = Measurement(
    "document",
    questions("document", DOCUMENT_HOW, DOCUMENT_CONNECTIONS),
    lambda bench: take(bench, "document", DOCUMENT, DOCUMENT_CONNECTIONS),
)
