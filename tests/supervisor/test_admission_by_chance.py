"""Admission under any order of events: clients that come and go, workers that change, all in one turn of the loop."""

import asyncio
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from support.house import House, Worker, in_a_house


class Walk:
    """Chance in the place of clients, workers and time: several things happen before anybody can run."""

    def __init__(self, house: House, chance: Random) -> None:
        self.house = house
        self.chance = chance
        self.worker: Worker | None = None

    def step(self) -> None:
        self.chance.choice([self.arrive, self.arrive, self.arrive, self.leave, self.change_worker])()

    def arrive(self) -> None:
        arrive = self.chance.choice([self.house.arrive, self.house.arrive_without_task])
        arrive(stay=self.chance.choice([0.0, 0.5, 1.0, 5.0]))

    def leave(self) -> None:
        if self.house.tasks:
            self.chance.choice(self.house.tasks[-5:]).cancel()
        if self.house.guests:
            self.chance.choice(self.house.guests[-5:]).leave()

    def change_worker(self) -> None:
        self.worker = self.chance.choice([None, Worker(0), Worker(1), Worker(2), Worker(3)])
        self.house.admission.serve_by(self.worker)

    async def pass_time(self) -> None:
        """A turn of the loop, or until nobody can run any more: then nobody waits beside a free place."""
        if self.chance.random() < 0.3:
            await asyncio.sleep(0)
            return
        await asyncio.sleep(self.chance.choice([0.01, 0.25, 1.0]))
        # Virtual time passes when nobody can run, so that a moment is enough for all that happens at once.
        await asyncio.sleep(0.001)
        assert not self.house.admission.queued or self.worker is None or self.worker.free_places() == 0


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_places_go_to_whom_they_are_due(seed: int) -> None:
    """Never more than there are (`House` checks that), in the order of waiting, and none is forgotten."""

    async def story(house: House) -> None:
        chance = Random(seed)
        walk = Walk(house, chance)
        for _ in range(20):
            for _ in range(chance.randint(1, 4)):
                walk.step()
            await walk.pass_time()
        house.admission.serve_by(Worker(1))
        await house.everybody()
        # Those without a task have nobody who could be awaited.
        await asyncio.sleep(1000)
        without_task = [guest.visit for guest in house.guests]
        with_task = [visit for visit in house.visits if not any(visit is other for other in without_task)]
        staying = [visit for visit, task in zip(with_task, house.tasks, strict=True) if not task.cancelled()]
        staying += [guest.visit for guest in house.guests if not guest.has_left]
        assert all(visit.entered is not None for visit in staying)
        for visits in (with_task, without_task):
            # One that need not wait takes a place beside those that were promised; if their worker then goes, they wait
            # on. So does one without a task that waits behind them (`Guest.enter` looks at that).
            times = [(visit.came, visit.entered) for visit in visits]
            entries = [entered for came, entered in times if entered is not None and entered > came]
            assert entries == sorted(entries)
        assert house.admission.queued == 0
        assert house.admission.enter_at_once() is not None

    in_a_house(story, places=None, clock=0)
