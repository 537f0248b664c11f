"""The types of a measurement, by which the modules that measure are independent of those that report."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from questions import Question
from results import Sample
from servers import Server


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    ``rounds`` is the number of rounds over everything, ``seconds`` the duration of the load in each run,
    ``stream_bytes`` the size of a large body. ``largest`` limits sizes (numbers of plugins, connections, …): it is the
    percentage of the full size that is measured.
    """

    rounds: int = 5
    seconds: int = 2
    stream_bytes: int = 10**9
    largest: int = 100

    def as_dict(self) -> dict[str, int]:
        """Return the plan for JSON."""
        return asdict(self)

    def sizes(self, *sizes: int) -> list[int]:
        """Return the sizes (in ascending order) up to the limit of the plan, and always the first one."""
        limit = sizes[-1] * self.largest / 100
        return [size for size in sizes if size <= limit or size == sizes[0]]


@dataclass(frozen=True, slots=True)
class Bench:
    """What a measurement is given: the plan, the programs to measure with, and a function that reports progress.

    ``programs`` is the ``bin`` directory of the environment with the peers and this project, ``wrk`` the path of the
    load generator. ``only`` are the names of the servers to be measured; if empty, all are.
    """

    plan: Plan
    programs: Path
    wrk: str
    only: frozenset[str]
    tell: Callable[[str], None]

    def rounds(self) -> Iterator[int]:
        """Yield the number of each round, from 1, and report it."""
        for number in range(1, self.plan.rounds + 1):
            self.tell(f"  round {number} of {self.plan.rounds}")
            yield number

    def turns(self, servers: tuple[Server, ...]) -> Iterator[Server]:
        """Yield the servers in the order of measuring, round by round.

        So if the machine gets slower meanwhile, that affects all servers and not only the last one, and the median
        evens out differences between processes, such as the layout of memory.
        """
        for _ in self.rounds():
            for server in servers:
                if not self.only or server.name in self.only:
                    self.tell(f"    {server.name}")
                    yield server


@dataclass(frozen=True, slots=True)
class Measurement:
    """One thing that can be measured by itself: its name, the questions that it answers, and the function that does it.

    ``take`` yields samples for those questions; it raises BenchError if something is missing.
    """

    name: str
    questions: tuple[Question, ...]
    take: Callable[[Bench], Iterable[Sample]]
