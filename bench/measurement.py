"""What a measurement is: the seam between those who measure and those who tell."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from questions import Question
from results import Sample
from servers import Server


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    ``rounds`` over everything, ``seconds`` of load in each run, ``stream_bytes`` of a large body, ``largest`` the share
    of the largest sizes (plugins, connections, …) that is gone up to, in percent.
    """

    rounds: int = 5
    seconds: int = 2
    stream_bytes: int = 10**9
    largest: int = 100

    def as_dict(self) -> dict[str, int]:
        """Return the plan for JSON."""
        return asdict(self)

    def sizes(self, *sizes: int) -> list[int]:
        """Return those of the sizes that are gone up to; the first always is."""
        limit = sizes[-1] * self.largest / 100
        return [size for size in sizes if size <= limit or size == sizes[0]]


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measurement is given: the plan, the programs to measure with, and somebody to tell what is done.

    ``programs`` is the ``bin`` of the environment with the peers and this project, ``wrk`` the load generator. Only
    servers of these names are measured, or all if there are none.
    """

    plan: Plan
    programs: Path
    wrk: str
    only: frozenset[str]
    tell: Callable[[str], None]

    def rounds(self) -> Iterator[int]:
        """Yield the rounds' numbers, from 1, telling each."""
        for number in range(1, self.plan.rounds + 1):
            self.tell(f"  round {number} of {self.plan.rounds}")
            yield number

    def turns(self, servers: tuple[Server, ...]) -> Iterator[Server]:
        """Yield the servers in the order of measuring, round by round.

        So a machine that gets slower in the middle slows everyone, not only who happened to be last, and a median
        covers what differs from process to process, such as the layout of memory.
        """
        for _ in self.rounds():
            for server in servers:
                if not self.only or server.name in self.only:
                    self.tell(f"    {server.name}")
                    yield server


@dataclass(frozen=True, slots=True)
class Measurement:
    """One thing that can be measured by itself: its name, the questions it answers, and who takes it.

    ``take`` yields samples of those questions; a BenchError says what is missing.
    """

    name: str
    questions: tuple[Question, ...]
    take: Callable[[Bench], Iterable[Sample]]
