"""What many runs say together: medians with their spread, ratios, and the floors they must reach."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Protocol


class Run(Protocol):
    """One measurement: how much a second, and how many failures."""

    @property
    def rate(self) -> float: ...

    @property
    def failures(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Spread:
    """The smallest, middle and largest of a figure over all rounds."""

    low: float
    middle: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of at least one value."""
        ordered = sorted(values)
        return cls(ordered[0], median(ordered), ordered[-1])


def rate_of(runs: Sequence[Run]) -> Spread:
    """Return the spread of the runs' rates."""
    return Spread.over(run.rate for run in runs)


def failures_of(runs: Sequence[Run]) -> int:
    """Return the failures of all runs together."""
    return sum(run.failures for run in runs)


def ratio(ours: Sequence[Run], theirs: Sequence[Run]) -> float:
    """Return our median rate as a multiple of theirs; infinite if theirs is nothing."""
    below = rate_of(theirs).middle
    return rate_of(ours).middle / below if below else float("inf")


@dataclass(frozen=True, slots=True)
class Floor:
    """A figure that must not be undercut: what it is of, what is required and what was measured, in ``unit``."""

    subject: str
    required: float
    measured: float
    unit: str
    failures: int

    @property
    def met(self) -> bool:
        """Return whether enough was measured, and without a failure."""
        return self.measured >= self.required and not self.failures

    def __str__(self) -> str:
        failed = f", with {self.failures} failures" if self.failures else ""
        verdict = "met" if self.met else "NOT MET"
        return f"{verdict}: {self.subject}: {self.measured:.2f}{self.unit} (floor {self.required:g}{self.unit}){failed}"
