"""The types of questions. Each question of the benchmark is answered by one table."""

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """The rows of a question's table."""

    SERVERS = "a line for each server, and endpointd's ratio to it"
    GROWTH = "a line for each number of something"
    PLAIN = "a line for each subject"


@dataclass(frozen=True, slots=True)
class Metric:
    """One kind of figure: its name in samples, and its heading (with the unit) in tables."""

    name: str
    heading: str


@dataclass(frozen=True, slots=True)
class Question:
    """One table. Of the first metric the spread is shown, of the others the medians.

    ``how`` describes in a sentence or two what is done and where the figures come from. For ``Kind.GROWTH``, ``of`` is
    what the subjects count. With ``plot``, the question has a plot too.
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
