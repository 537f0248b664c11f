"""The floors: how fast endpointd must be at least, against the peers and by itself."""

from collections.abc import Iterator

from figures import Floor, failures_of, rate_of, ratio
from results import RequestRuns, Results, StreamRuns
from servers import ENDPOINTD, GRANIAN, GRANIAN_ONE, GUNICORN_SYNC

FLOOR_CONNECTIONS = 32
# Peer: what multiple of its requests a second.
REQUEST_FLOORS = {GUNICORN_SYNC.name: 3.0, GRANIAN.name: 0.6, GRANIAN_ONE.name: 0.6}
STREAM_OUT_FLOOR = 600.0


def floors_of(results: Results) -> list[Floor]:
    """Return every floor that the measured servers allow to judge."""
    return [*request_floors(results.requests), *stream_floors(results.streams)]


def request_floors(runs: RequestRuns) -> Iterator[Floor]:
    """Yield a floor for each peer that was measured beside endpointd."""
    ours = runs.get((ENDPOINTD.name, FLOOR_CONNECTIONS), [])
    for peer, required in REQUEST_FLOORS.items():
        theirs = runs.get((peer, FLOOR_CONNECTIONS), [])
        if ours and theirs:
            subject = f"requests a second at {FLOOR_CONNECTIONS} connections, against {peer}"
            failures = failures_of(ours) + failures_of(theirs)
            yield Floor(subject, required, ratio(ours, theirs), "x", failures)


def stream_floors(runs: StreamRuns) -> Iterator[Floor]:
    """Yield the floor of streaming out, if endpointd was measured."""
    if ours := runs.get((ENDPOINTD.name, "out")):
        measured = rate_of(ours).middle
        yield Floor("streaming out", STREAM_OUT_FLOOR, measured, " MB/s", failures_of(ours))
