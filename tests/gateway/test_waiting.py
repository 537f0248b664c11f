"""How a request without a task waits for a place: what it is told, once, whatever happens. In virtual time."""

import asyncio
from typing import cast
from unittest.mock import Mock

from endpointd.gateway.client import Client
from endpointd.gateway.clocks import PERIOD, Clocks
from endpointd.gateway.waiting import Outcome, Waiting
from endpointd.supervisor.admission import Admission, NoPlace
from endpointd.supervisor.worker import Worker as RealWorker
from support.house import CLOCK, House, Worker, in_a_house, now


class Guest:
    """A request that waits, with its client."""

    def __init__(self, house: House) -> None:
        self.outcomes: list[tuple[float, object]] = []
        self.client = Mock(spec=Client, on_gone=None)
        admission = cast("Admission[RealWorker]", house.admission)
        self.waiting = Waiting(admission, Clocks(), self.client, self.over)
        self.waits = self.waiting.line_up()

    def over(self, waiting: Waiting, outcome: Outcome) -> None:
        """It takes its place for good."""
        assert waiting is self.waiting
        self.outcomes.append((now(), outcome))
        if isinstance(worker := cast("object", outcome), Worker):
            worker.taken += 1
            assert worker.taken <= worker.places

    def leave(self) -> None:
        if self.client.on_gone is not None:
            self.client.on_gone()


async def fill(house: House, stay: float = 1.0) -> Worker:
    """Have every place taken; returns the worker."""
    visit = house.arrive(stay)
    await house.settle()
    assert visit.worker is not None
    return visit.worker


def test_it_is_given_the_worker_when_its_turn_comes() -> None:
    async def story(house: House) -> None:
        worker = await fill(house)
        guest = Guest(house)
        await house.everybody()
        await house.settle()
        assert guest.outcomes == [(1.0, worker)]
        assert guest.client.on_gone is None
        # Nothing is left that could go off.
        await asyncio.sleep(2 * CLOCK)
        assert len(guest.outcomes) == 1

    in_a_house(story)


def test_those_with_and_without_tasks_stand_in_one_queue() -> None:
    async def story(house: House) -> None:
        worker = await fill(house)
        before = house.arrive()
        await house.settle()
        guest = Guest(house)
        await house.everybody()
        await house.settle()
        assert before.entered == 1.0
        assert guest.outcomes == [(2.0, worker)]

    in_a_house(story)


def test_it_is_told_when_its_clock_runs_out_and_leaves_no_place_behind() -> None:
    async def story(house: House) -> None:
        await fill(house, stay=CLOCK + 1)
        guest = Guest(house)
        await asyncio.sleep(CLOCK + 0.5)
        ((when, outcome),) = guest.outcomes
        assert CLOCK <= when <= CLOCK + PERIOD
        assert isinstance(outcome, NoPlace)
        assert outcome.code == "clock_queue"
        assert house.admission.queued == 0
        await house.everybody()
        assert house.admission.enter_at_once() is not None

    in_a_house(story)


def test_its_client_leaves() -> None:
    async def story(house: House) -> None:
        await fill(house)
        guest = Guest(house)
        guest.leave()
        guest.leave()
        assert guest.outcomes == [(0.0, None)]
        assert house.admission.queued == 0
        await asyncio.sleep(2 * CLOCK)
        assert len(guest.outcomes) == 1

    in_a_house(story)


def test_those_that_wait_are_handed_over_as_soon_as_there_are_places() -> None:
    """In the order in which they came, and no more of them than there are places."""

    async def story(house: House) -> None:
        worker = await fill(house, stay=100)
        guests = [Guest(house) for _ in range(4)]
        worker.places += 2
        house.admission.advance()
        assert [guest.outcomes for guest in guests] == [[(0.0, worker)], [(0.0, worker)], [], []]
        house.admission.serve_by(None)
        house.admission.serve_by(other := Worker(1))
        assert [guest.outcomes for guest in guests[2:]] == [[(0.0, other)], []]

    in_a_house(story)


def test_a_place_that_was_promised_to_a_task_is_not_handed_over() -> None:
    async def story(house: House) -> None:
        worker = await fill(house, stay=100)
        before = house.arrive(stay=1)
        await house.settle()
        guest = Guest(house)
        worker.places += 1
        house.admission.advance()
        late = Guest(house)
        assert guest.outcomes == late.outcomes == []
        await asyncio.sleep(2)
        assert (before.entered, guest.outcomes, late.outcomes) == (0.0, [(1.0, worker)], [])

    in_a_house(story)


def test_a_place_that_a_task_has_left_is_handed_over() -> None:
    async def story(house: House) -> None:
        worker = await fill(house, stay=100)
        house.arrive()
        await house.settle()
        guest = Guest(house)
        worker.places += 1
        house.admission.advance()
        house.tasks[1].cancel()
        await house.settle()
        assert guest.outcomes == [(0.0, worker)]

    in_a_house(story)


def test_its_worker_goes_and_nobody_takes_its_place() -> None:
    async def story(house: House) -> None:
        await fill(house)
        guests = [Guest(house), Guest(house)]
        refusal = NoPlace("plugin_stopped", "it is stopped", None)
        house.admission.refuse(refusal)
        told = [outcome for guest in guests for _, outcome in guest.outcomes]
        assert [(type(outcome), str(outcome)) for outcome in told] == [(NoPlace, "it is stopped")] * 2
        assert len({id(outcome) for outcome in (refusal, *told)}) == 3
        await asyncio.sleep(2 * CLOCK)
        assert [len(guest.outcomes) for guest in guests] == [1, 1]

    in_a_house(story)


def test_one_that_does_not_take_its_place_leaves_it_to_the_next() -> None:
    """Its plugin was replaced meanwhile, say."""

    async def story(house: House) -> None:
        worker = await fill(house, stay=100)
        guest, next_guest = Guest(house), Guest(house)
        guest.waiting._over = lambda _, outcome: guest.outcomes.append((now(), outcome))
        worker.places += 1
        house.admission.advance()
        assert guest.outcomes == next_guest.outcomes == [(0.0, worker)]

    in_a_house(story)


def test_nobody_waits_without_a_task_for_a_worker_that_does_not_run() -> None:
    async def story(house: House) -> None:
        guest = Guest(house)
        assert (guest.waits, guest.client.on_gone, house.admission.queued) == (False, None, 0)

    in_a_house(story, places=None)


def test_nobody_waits_behind_a_full_queue() -> None:
    async def story(house: House) -> None:
        await fill(house)
        assert Guest(house).waits
        assert not Guest(house).waits
        assert house.admission.queued == 1

    in_a_house(story, queue_size=1)


def test_a_defect_ends_one_request_and_nothing_else() -> None:
    async def story(house: House) -> None:
        await fill(house)
        guest, next_guest = Guest(house), Guest(house)
        guest.waiting._over = Mock(side_effect=RuntimeError("a defect"))
        await house.everybody()
        guest.client.abort.assert_called_once_with()
        assert [when for when, _ in next_guest.outcomes] == [1.0]

    in_a_house(story)
