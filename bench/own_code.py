"""Measures the time of the plugins' own code without a server, which limits the rate of any single process."""

import subprocess
from collections.abc import Iterator

from errors import BenchError
from measurement import Bench, Measurement
from questions import Kind, Metric, Question
from results import Sample
from running import child_environment
from workloads import BENCH, DOCUMENT, DUCK, Workload

QUESTION = Question(
    "own-code",
    "The plugins' own code, without a server",
    "`_invoke` alone, called over and over in one process with a request that is there, and the processor to itself. "
    "*At most* is how often a second one process could answer if nothing else took any time.",
    (Metric("us", "µs"), Metric("most", "at most requests/s")),
    Kind.PLAIN,
)


def take(bench: Bench) -> Iterator[Sample]:
    """Yield the time of a call for each workload."""
    for _ in bench.rounds():
        for workload in (DUCK, DOCUMENT):
            microseconds = time_of_call(bench, workload)
            yield Sample(QUESTION.name, workload.plugin.name, {"us": microseconds, "most": 1e6 / microseconds})


def time_of_call(bench: Bench, workload: Workload) -> float:
    """Return the microseconds per call, measured in a separate process; raise BenchError if that fails."""
    program = str(BENCH / "own_code_process.py")
    command = [str(bench.programs / "python"), program, workload.plugin.name, str(bench.plan.seconds)]
    environment = child_environment(workload.plugin)
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{workload.plugin.name} cannot be called by itself: {done.stderr.strip()}")
    return float(done.stdout)


MEASUREMENT = Measurement("own-code", (QUESTION,), take)
