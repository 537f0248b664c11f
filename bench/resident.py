"""Measures many idle plugins: memory, wake-ups, and how long they take to start."""

from collections.abc import Iterator

from density import measure_density
from measurement import Bench, Measurement
from processes import MIB
from questions import Kind, Metric, Question
from results import Sample

PLUGINS = 100
IDLE_SECONDS = 10.0
WHOSE = "idle plugins"

DENSITY = Question(
    "density",
    "A hundred resident plugins, idle",
    "Started together, and looked at for ten seconds. Memory is the proportional set size of all processes but the "
    "host, divided by the plugins; wake-ups are voluntary context switches.",
    (
        Metric("plugin_mib", "MiB a plugin"),
        Metric("wakeups", "wake-ups/s a plugin"),
        Metric("start_s", "all answer after s"),
        Metric("host_mib", "MiB, host"),
        Metric("host_percent", "% of a processor, host"),
        Metric("plugins", "plugins"),
    ),
    Kind.PLAIN,
)


def take(bench: Bench) -> Iterator[Sample]:
    """Yield the cost of a hundred plugins, or of fewer if the plan says so."""
    number = max(1, PLUGINS * bench.plan.largest // 100)
    for _ in bench.rounds():
        found = measure_density(bench.programs, number, IDLE_SECONDS)
        figures = {
            "plugin_mib": found.per_plugin / MIB,
            "wakeups": found.wakeups_per_plugin,
            "start_s": found.start_seconds,
            "host_mib": found.daemon / MIB,
            "host_percent": found.daemon_cpu * 100,
            "plugins": found.plugins,
        }
        yield Sample(DENSITY.name, WHOSE, figures)


MEASUREMENT = Measurement("density", (DENSITY,), take)
