"""All measurements, in the order in which they are taken. A new measurement must be added here."""

import dropping
import growth
import host_cost
import open_streams
import own_code
import resident
import restarts
import sdk
import several
import sleeping
import small
import streams
from measurement import Measurement
from questions import Question

MEASUREMENTS: tuple[Measurement, ...] = (
    small.DUCKS,
    small.DOCUMENTS,
    own_code.MEASUREMENT,
    sdk.MEASUREMENT,
    streams.MEASUREMENT,
    host_cost.MEASUREMENT,
    restarts.MEASUREMENT,
    open_streams.MEASUREMENT,
    several.MEASUREMENT,
    dropping.MEASUREMENT,
    resident.MEASUREMENT,
    sleeping.MEASUREMENT,
    growth.MEASUREMENT,
)


def questions() -> list[Question]:
    """Return the questions of all measurements."""
    return [question for measurement in MEASUREMENTS for question in measurement.questions]
