"""What a daemon holds: the files, processes and threads that must be as many after a story as before it."""

from pathlib import Path
from typing import NamedTuple

from endpointd.admin.client import Client as Administration
from endpointd.testing import RunningDaemon
from support.catalogue import BYSTANDER
from support.processes import children, descriptors, is_zombie, threads
from support.raw_http import Client

LOOKS = 500
SAME_LOOKS = 20
"""Looks in a row that show the same when all is settled. The daemon answers a request between two of them, and hears
meanwhile of whoever has left."""


class Holdings(NamedTuple):
    """What the daemon has; `files` are those of its state directory."""

    descriptors: int
    children: int
    threads: int
    zombies: int
    files: tuple[str, ...]


def administered(daemon: RunningDaemon, state: Path) -> RunningDaemon:
    """The daemon, when all of its parts are there: those of its administration come when it is first asked for."""
    with Administration(state) as administration:
        assert administration.daemon()["pid"] == daemon.pid
    return daemon


def holdings(daemon: RunningDaemon, state: Path) -> Holdings:
    pids = children(daemon.pid)
    files = tuple(sorted(str(path.relative_to(state)) for path in state.rglob("*")))
    zombies = sum(is_zombie(pid) for pid in pids)
    return Holdings(descriptors(daemon.pid), len(pids), threads(daemon.pid), zombies, files)


def settled(daemon: RunningDaemon, state: Path, expected: Holdings | None = None) -> Holdings:
    """What the daemon holds when it has heard of all that happened: as expected, or as it stays.

    It is asked on one connection, which counts at every look: those that came and went would be heard of late.
    """
    with Client(daemon.url) as client:
        found, same = None, 0
        for _ in range(LOOKS):
            assert client.request(f"/e/{BYSTANDER}/fine").status == 200
            before, found = found, holdings(daemon, state)
            same = same + 1 if found == before else 0
            if found == expected or (expected is None and same == SAME_LOOKS):
                break
    assert found is not None
    assert expected is not None or same == SAME_LOOKS, "what the daemon holds does not settle"
    return found
