"""The results of the benchmark, and their form as JSON."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from figures import Spread


@dataclass(frozen=True, slots=True)
class Sample:
    """The figures of one subject (a server, or a number of something) for one question in one round.

    ``figures`` has a value for each metric of the question, ``failures`` is the number of wrong or missing answers, and
    ``problem`` describes them.
    """

    question: str
    subject: str
    figures: Mapping[str, float]
    failures: int = 0
    problem: str | None = None


@dataclass(slots=True)
class Taking:
    """The result of one measurement: its samples in order, and in ``missing`` why some or all of them are missing.

    ``at`` is when it began (ISO 8601, UTC), ``load`` the machine's load average then, ``seconds`` how long it took.
    """

    at: str
    load: float
    seconds: float = 0.0
    samples: list[Sample] = field(default_factory=list)
    missing: str | None = None


@dataclass(slots=True)
class Results:
    """The machine, the versions and the plan, and the result of every measurement by its name."""

    machine: dict[str, str | int | float]
    versions: dict[str, str]
    plan: dict[str, int]
    takings: dict[str, Taking] = field(default_factory=dict)

    def samples(self, question: str, subject: str | None = None) -> list[Sample]:
        """Return the samples of one question, of one subject or of all, in the order of the rounds."""
        return [
            sample
            for taking in self.takings.values()
            for sample in taking.samples
            if sample.question == question and subject in (None, sample.subject)
        ]

    def subjects(self, question: str) -> list[str]:
        """Return the subjects that have samples of the question, in the order of measuring."""
        return list(dict.fromkeys(sample.subject for sample in self.samples(question)))

    def spread(self, question: str, subject: str, metric: str) -> Spread | None:
        """Return the spread of one figure over the rounds, or None if there is no sample."""
        values = [sample.figures[metric] for sample in self.samples(question, subject) if metric in sample.figures]
        return Spread.over(values) if values else None

    def middle(self, question: str, subject: str, metric: str) -> float | None:
        """Return the median of one figure over the rounds, or None if there is no sample."""
        spread = self.spread(question, subject, metric)
        return None if spread is None else spread.middle

    def failures(self, question: str | None = None, subject: str | None = None) -> int:
        """Return the number of failures, of one question and subject or of all."""
        return sum(
            sample.failures
            for taking in self.takings.values()
            for sample in taking.samples
            if question in (None, sample.question) and subject in (None, sample.subject)
        )

    def problems(self) -> Iterator[str]:
        """Yield a line for each sample with a problem, and for each measurement that could not be completed."""
        for name, taking in self.takings.items():
            if taking.missing:
                yield f"{name} was not measured: {taking.missing}"
            for sample in taking.samples:
                if sample.problem:
                    yield f"{sample.question}, {sample.subject}: {sample.problem}"

    def as_dict(self) -> dict[str, object]:
        """Return everything, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Results":
        """Return the results from the output of ``as_dict``."""
        takings = {
            name: Taking(**{**taking, "samples": [Sample(**sample) for sample in taking["samples"]]})
            for name, taking in document["takings"].items()
        }
        return cls(document["machine"], document["versions"], document["plan"], takings)
