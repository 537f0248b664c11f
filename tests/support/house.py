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
    guests: list["Guest"] = field(default_factory=list)

    def arrive(self, stay: float = 1.0) -> Visit:
        """A request comes, that will hold its place for `stay` seconds."""
        visit = Visit(now())
        self.visits.append(visit)
        self.tasks.append(asyncio.create_task(self._visit(visit, stay)))
        return visit

    def arrive_without_task(self, stay: float = 1.0) -> Visit:
        """The same, but it has a task only if it cannot wait without one."""
        visit = Visit(now())
        guest = Guest(self, visit, stay)
        worker = self.admission.enter_at_once()
        if worker is not None:
            guest.enter(worker)
        elif self.admission.line_up(guest):
            guest.number = self.numbers()[-1]
        else:
            return self.arrive(stay)
        self.visits.append(visit)
        self.guests.append(guest)
        return visit

    def numbers(self) -> list[int]:
        """Of those that wait, in the order in which they stand."""
        return [number for number, _ in self.admission._waiting]

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


class Guest:
    """A request without a task."""

    def __init__(self, house: House, visit: Visit, stay: float) -> None:
        self.visit = visit
        self.has_left = False
        self.number: int | None = None
        """That in the queue, if it had to wait."""
        self._house = house
        self._stay = stay

    def enter(self, worker: Worker) -> None:
        assert self.visit.entered is None
        assert not self.has_left
        # Whoever came before has a place, or the promise of one.
        assert all(self.number is not None and self.number < number for number in self._house.numbers())
        worker.taken += 1
        assert worker.taken <= worker.places
        self.visit.entered, self.visit.worker = now(), worker
        asyncio.get_running_loop().call_later(self._stay, self._go, worker)

    def _go(self, worker: Worker) -> None:
        worker.taken -= 1
        self._house.admission.advance()

    def refuse(self, refusal: NoPlace) -> None:
        self.visit.code = refusal.code

    def leave(self) -> None:
        if self.visit.entered is None:
            self.has_left = True
            self._house.admission.step_out(self)


def now() -> float:
    """Rounded: steps of a tenth of a second do not add up to whole ones."""
    return round(asyncio.get_running_loop().time(), 6)


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
