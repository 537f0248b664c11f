"""Statistics over many runs (medians and their spread), and goals."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True, slots=True)
class Spread:
    """The smallest value, the median and the largest value of a figure over all rounds."""

    low: float
    middle: float
    high: float

    @classmethod
    def over(cls, values: Iterable[float]) -> "Spread":
        """Return the spread of at least one value."""
        ordered = sorted(values)
        return cls(ordered[0], median(ordered), ordered[-1])


def percentile(values: Iterable[float], share: float) -> float:
    """Return the smallest value that at least ``share`` (0 to 1) of the values do not exceed; there must be a value."""
    ordered = sorted(values)
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that must be reached: its subject, and the required and the measured value, in ``unit``.

    ``row`` is the name of the goal to which it belongs, ``key`` its own short name. ``measured`` is None if it was not
    measured. With ``at_most``, ``required`` is an upper limit instead of a lower one.
    """

    key: str
    row: str
    subject: str
    required: float
    measured: float | None
    unit: str
    failures: int = 0
    at_most: bool = False

    @property
    def met(self) -> bool:
        """Return whether the measured value reaches the goal, and no request failed."""
        if self.measured is None or self.failures:
            return False
        return self.measured <= self.required if self.at_most else self.measured >= self.required

    @property
    def verdict(self) -> str:
        """Return one of: met, NOT MET, not measured."""
        if self.measured is None:
            return "not measured"
        return "met" if self.met else "NOT MET"

    @property
    def wanted(self) -> str:
        """Return the required value as a text, with its unit."""
        return f"{'≤' if self.at_most else '≥'} {self.required:g}{self.unit}"

    @property
    def found(self) -> str:
        """Return the measured value as a text, with its unit and the failures, if any."""
        if self.measured is None:
            return "-"
        return f"{exact(self.measured)}{self.unit}" + (f", {self.failures} failures" if self.failures else "")

    def __str__(self) -> str:
        return f"{self.verdict}: {self.row}: {self.subject}: {self.found} (goal {self.wanted})"


def exact(value: float) -> str:
    """Return a figure as a text with about three significant digits."""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
