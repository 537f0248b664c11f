"""Measures how soon a plugin answers after its folder was dropped into the plugins directory."""

from collections.abc import Iterator

from measurement import Bench, Measurement
from questions import Kind, Metric, Question
from results import Sample
from starting import DROPS, measure_start

FOLDERS = 5

START = Question(
    "start",
    "A folder dropped, to its first answer",
    f"A plugin without dependencies, {FOLDERS} times in each round: *moved* as a whole, as `mv` does, "
    "or *copied* file by file, when the daemon waits until the folder is at rest.",
    (
        Metric("answered_ms", "answers after ms"),
        Metric("taken_ms", "taken in after ms"),
        Metric("ready_ms", "worker ready after ms"),
    ),
    Kind.PLAIN,
)


def take(bench: Bench) -> Iterator[Sample]:
    """Yield a sample for each drop."""
    for _ in bench.rounds():
        for drop in DROPS:
            for start in measure_start(bench.programs, drop, FOLDERS):
                seconds = {"answered_ms": start.answered, "taken_ms": start.taken, "ready_ms": start.ready}
                yield Sample(START.name, drop, {name: value * 1000 for name, value in seconds.items()})


MEASUREMENT = Measurement("start", (START,), take)
