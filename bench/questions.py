"""What a question is: the table that answers it."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """How a question's samples are shown."""

    SERVERS = "a line for each server, and endpointd's ratio to it"
    GROWTH = "a line for each number of something"
    PLAIN = "a line for each subject"


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure: its name in samples, its heading and unit in tables."""

    name: str
    heading: str


@dataclass(frozen=True, slots=True)
class Question:
    """One table. The first metric has its spread shown, the others their medians.

    ``how`` says in a sentence or two what is done and where the figures come from. Of a growth ``of`` is what the
    subjects count. With ``plot`` it is shown as a plot too.
    """

    name: str
    title: str
    how: str
    metrics: tuple[Metric, ...]
    kind: Kind = Kind.SERVERS
    of: str = ""
    plot: bool = False


RATE = Metric("rate", "requests/s")
P50 = Metric("p50_ms", "p50 ms")
P99 = Metric("p99_ms", "p99 ms")
