"""Takes measurements one after the other. If one fails, the figures of the others are kept."""

import os
import time
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from errors import BenchError
from measurement import Bench, Measurement
from results import Results, Taking


def take_all(
    bench: Bench, measurements: Iterable[Measurement], results: Results, keep: Callable[[Results], None]
) -> None:
    """Take the measurements into ``results``; after each, call ``keep`` with the results so far."""
    for measurement in measurements:
        bench.tell(measurement.name)
        results.takings[measurement.name] = take(bench, measurement)
        keep(results)


def take(bench: Bench, measurement: Measurement) -> Taking:
    """Take one measurement; return its samples, and why it ended early if it did."""
    taking = Taking(datetime.now(UTC).isoformat(timespec="seconds"), round(os.getloadavg()[0], 2))
    began = time.monotonic()
    try:
        for sample in measurement.take(bench):
            taking.samples.append(sample)
    except BenchError as error:
        taking.missing = str(error)
    except Exception as error:  # noqa: BLE001 - twenty minutes of figures are not lost for a mistake in the last one
        taking.missing = repr(error)
        bench.tell(traceback.format_exc())
    if taking.missing:
        bench.tell(f"{measurement.name} was not measured: {taking.missing}")
    taking.seconds = round(time.monotonic() - began, 1)
    return taking
