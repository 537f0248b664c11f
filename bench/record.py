"""The figures as JSON: every run, so that another reader can make other medians of them."""

from collections.abc import Sequence
from dataclasses import asdict

from figures import rate_of
from floors import floors_of
from load import LoadRun
from results import Results
from servers import FOR_REQUESTS
from transfer import Transfer


def record(results: Results) -> dict[str, object]:
    """Return everything that was measured; rates are requests or megabytes a second."""
    return {
        "machine": results.machine,
        "versions": results.versions,
        "servers": {server.name: server.settings for server in FOR_REQUESTS},
        "requests": [
            {"server": server, "connections": connections, **series(runs)}
            for (server, connections), runs in results.requests.items()
        ],
        "streams": [
            {"server": server, "direction": direction, **series(runs)}
            for (server, direction), runs in results.streams.items()
        ],
        "floors": [{**asdict(floor), "met": floor.met} for floor in floors_of(results)],
    }


def series(runs: Sequence[LoadRun] | Sequence[Transfer]) -> dict[str, object]:
    """Return one server's figures for one question."""
    return {"rate": asdict(rate_of(runs)), "runs": [run.as_dict() for run in runs]}
