"""Serves several plugins for minutes or hours under a mixed load, while they are edited, removed, broken, killed,
stopped, restarted, rolled back and installed over. Checks every answer, and counts the failed requests.

A request may fail only if the worker of its plugin was taken away at that time, and only with the error that the daemon
sends then; `soaking/rule.py` defines the rule. Exit status: 0 if nothing else failed, 1 if something did, 2 if the soak
could not be run.
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from pathlib import Path

from errors import BenchError
from machine import describe_machine
from soaking.clients import Client, Target
from soaking.daemon import Daemon, Held, is_worker
from soaking.disturbances import Disturber
from soaking.folders import Folders
from soaking.ledger import Ledger
from soaking.verdict import Found, Verdict

REQUESTS_OF = {
    "echo": ("small", "small", "small"),
    "ticker": ("small", "stream", "stream", "stream"),
    "upload": ("small", "upload"),
    "mixed": ("small", "stream", "upload"),
    "crasher": ("small", "small"),
}
"""The plugins, and for each of them its clients, by the kind of request that they send."""
FLAGS = ("--clock-ping=3", "--releases-kept=2")
QUIET_SECONDS = 30.0
"""The longest time in which the daemon must release all resources (files, processes) that the load has used."""
LOOK = 0.2


def main() -> int:
    """Soak, report, and return the exit status."""
    arguments = parse_arguments()
    sys.stdout.write(f"soaking for {arguments.minutes:g} minutes; --seed {arguments.seed} repeats what is done\n")
    sys.stdout.flush()
    try:
        with tempfile.TemporaryDirectory(prefix="endpointd-soak-") as scratch:
            verdict = Verdict(soak(Path(scratch), arguments.minutes * 60, arguments.seed))
    except BenchError as error:
        sys.stderr.write(f"soak: {error}\n")
        return 2
    sys.stdout.write(verdict.report() + "\n")
    if arguments.json:
        arguments.json.write_text(json.dumps(verdict.as_dict(), indent=2) + "\n", "utf-8")
    return verdict.exit_status


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Serve under load and disturbances, and count what is lost.")
    parser.add_argument("--minutes", type=positive, default=5.0, help="how long (default: 5)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of what is done, and to whom")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    return parser.parse_args()


def positive(text: str) -> float:
    """Read a positive number."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("must be a positive number")
    return value


def soak(scratch: Path, seconds: float, seed: int) -> Found:
    """Run one soak in the directory ``scratch``."""
    folders = Folders(scratch)
    targets = [Target(name) for name in REQUESTS_OF]
    for target in targets:
        folders.put(target)
    machine, daemon = describe_machine(), Daemon(scratch, *FLAGS)
    try:
        return _soak(daemon, folders, targets, seconds, seed, machine)
    finally:
        if daemon.process.poll() is None:
            daemon.process.kill()
            daemon.process.wait()


def _soak(
    daemon: Daemon,
    folders: Folders,
    targets: list[Target],
    seconds: float,
    seed: int,
    machine: dict[str, str | int | float],
) -> Found:
    ledger, over = Ledger(), threading.Event()
    disturber = Disturber(daemon, folders, targets, seed)
    began = time.monotonic()
    start = quiet(daemon)
    clients = [
        Client(daemon.url, target, request, ledger, over, f"{target.name}-{number}-{seed}")
        for target in targets
        for number, request in enumerate(REQUESTS_OF[target.name])
    ]
    for client in clients:
        client.start()
    disturber.run(began + seconds / 2)
    middle = daemon.held()
    disturber.run(began + seconds)
    tired = [client.name for client in clients if not client.is_alive()]
    over.set()
    for client in clients:
        client.join()
    if tired:
        raise BenchError(f"clients ended before the soak: {tired}")
    end = quiet(daemon, start)
    elapsed = time.monotonic() - began
    workers = ledger.workers | set(daemon.children())
    status = daemon.stop()
    left = sorted(pid for pid in workers if is_worker(pid))
    events = daemon.events()
    return Found(
        seed, elapsed, ledger, disturber.windows, disturber.done, disturber.faults, events,
        (start, middle, end), status, left, machine,
    )  # fmt: skip


def quiet(daemon: Daemon, expected: Held | None = None) -> Held:
    """Wait until the daemon's files and children are as expected and have been stable for a second; return them.

    Without ``expected`` it suffices that they are stable. After ``QUIET_SECONDS``, returns what there is then.
    """
    deadline = time.monotonic() + QUIET_SECONDS
    held, same = daemon.held(), 0
    while time.monotonic() < deadline:
        time.sleep(LOOK)
        before, held = held, daemon.held()
        same = same + 1 if (held.files, held.children) == (before.files, before.children) else 0
        wanted = expected is None or (held.files, held.children) == (expected.files, expected.children)
        if wanted and same * LOOK >= 1:
            break
    return held


if __name__ == "__main__":
    sys.exit(main())
