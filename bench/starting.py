"""Measures how long a plugin takes from the drop of its folder to its first answer, and how that time is divided.

Can be run by itself: ``.venv/bin/python bench/starting.py`` (with ``--no-fork-server`` workers are executed instead of
forked from the template). A folder is dropped in two ways: *moved* as a whole, as by ``mv`` and ``endpointd install``;
or *copied* file by file, as by ``cp -r``, in which case the daemon has to wait until it is at rest.
"""

import argparse
import json
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from density import daemon_of, until_it_answers, write_plugin
from running import Site

REST = 1.0
"""Seconds between creating the folders and moving the first one, so that they are at rest when they are moved."""


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the drop until the folder is taken in, until the worker is ready, and until the answer has come."""

    taken: float
    ready: float
    answered: float


def moved(source: Path, target: Path) -> None:
    """Drop a folder in one step."""
    source.rename(target)


def copied(source: Path, target: Path) -> None:
    """Drop a folder file by file."""
    shutil.copytree(source, target)


DROPS: dict[str, Callable[[Path, Path], None]] = {"moved": moved, "copied": copied}


def measure_start(programs: Path, drop: str = "moved", rounds: int = 15, options: tuple[str, ...] = ()) -> list[Start]:
    """Drop ``rounds`` plugins, one after the other, into the plugins directory of a running daemon.

    ``drop`` is a key of ``DROPS``. ``programs`` is the ``bin`` directory of the environment with endpointd; ``options``
    are additional options of ``serve``.
    """
    with tempfile.TemporaryDirectory(prefix="endpointd-start-") as directory:
        scratch = Path(directory)
        (scratch / "plugins").mkdir()
        (scratch / "made").mkdir()
        for number in range(rounds):
            write_plugin(scratch / "made", f"duck{number}")
        write_plugin(scratch / "plugins", "first")
        with daemon_of(programs, scratch, "--log-format", "json", *options) as (_, port):
            until_it_answers(Site(port, "/e/first"), "/duck", scratch / "log")
            # The daemon begins to watch the directory when all plugins are ready.
            time.sleep(REST)
            return [_drop(scratch, port, f"duck{number}", DROPS[drop]) for number in range(rounds)]


def _drop(scratch: Path, port: int, name: str, drop: Callable[[Path, Path], None]) -> Start:
    began = time.time()
    drop(scratch / "made" / name, scratch / "plugins" / name)
    until_it_answers(Site(port, f"/e/{name}"), "/duck", scratch / "log", pause=0.002)
    answered = time.time()
    times = _events(scratch / "log", f"bench/{name}")
    return Start(times["STARTING"] - began, times["RUNNING"] - began, answered - began)


def _events(log: Path, plugin: str) -> dict[str, float]:
    """Return when the plugin entered each state, in seconds since the epoch, according to the log."""
    found = {}
    for line in log.read_text("utf-8").splitlines():
        if f'"plugin": "{plugin}"' in line and (state := re.search(r'"state": "(\w+)"', line)):
            found[state[1]] = datetime.fromisoformat(json.loads(line)["timestamp"]).timestamp()
    return found


def main() -> None:
    """Measure with the options of the command line, and print medians in milliseconds as JSON."""
    parser = argparse.ArgumentParser(description="Measure how long a plugin takes to its first answer.")
    parser.add_argument("--rounds", type=int, default=15)
    arguments, options = parser.parse_known_args()
    for drop in DROPS:
        starts = measure_start(Path(sys.prefix) / "bin", drop, arguments.rounds, tuple(options))
        figures = {
            name: round(1000 * statistics.median(getattr(start, name) for start in starts))
            for name in ("taken", "ready", "answered")
        }
        sys.stdout.write(json.dumps({"drop": drop, **figures}) + "\n")


if __name__ == "__main__":
    main()
