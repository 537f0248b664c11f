"""Takes measurements one after the other, and lets none of them take the others' figures away."""

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
    """Take the measurements into ``results``; after each, ``keep`` is given what there is by then."""
    for measurement in measurements:
        bench.tell(measurement.name)
        results.takings[measurement.name] = take(bench, measurement)
        keep(results)


def take(bench: Bench, measurement: Measurement) -> Taking:
    """Return what one measurement brought, or why it brought nothing more."""
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
