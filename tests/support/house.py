"""An admission with its visitors, in virtual time: requests come, wait, hold their places and go."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from endpointd.supervisor.admission import Admission, NoPlace
from support.virtual_time import run_in_virtual_time

CLOCK = 10.0


class Worker:
    """Counts its places as the real one does."""

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken = 0

    def free_places(self) -> int:
        return self.places - self.taken


@dataclass
class Visit:
    """One request: when it came and entered, and what became of it."""

    came: float
    entered: float | None = None
    code: str | None = None
    worker: Worker | None = None


@dataclass
class House:
    """An admission with its visitors."""

    admission: Admission[Worker]
    visits: list[Visit] = field(default_factory=list)
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    def arrive(self, stay: float = 1.0) -> Visit:
        """A request comes, that will hold its place for `stay` seconds."""
        visit = Visit(now())
        self.visits.append(visit)
        self.tasks.append(asyncio.create_task(self._visit(visit, stay)))
        return visit

    async def _visit(self, visit: Visit, stay: float) -> None:
        try:
            worker = await self.admission.enter()
        except NoPlace as error:
            visit.code = error.code
            return
        worker.taken += 1
        assert worker.taken <= worker.places
        visit.entered, visit.worker = now(), worker
        try:
            await asyncio.sleep(stay)
        finally:
            worker.taken -= 1
            self.admission.advance()

    async def settle(self) -> None:
        """Let everybody run who can without time passing."""
        for _ in range(5):
            await asyncio.sleep(0)

    async def everybody(self) -> None:
        await asyncio.gather(*self.tasks, return_exceptions=True)


def now() -> float:
    return asyncio.get_running_loop().time()


def in_a_house(
    story: Callable[[House], Awaitable[None]], *, places: int | None = 1, queue_size: int = 100, clock: float = CLOCK
) -> House:
    """Run `story` in a house with a worker of `places`, or with none."""

    async def main() -> House:
        house = House(Admission(queue_size, clock))
        if places is not None:
            house.admission.serve_by(Worker(places))
        await story(house)
        return house

    return run_in_virtual_time(main())
