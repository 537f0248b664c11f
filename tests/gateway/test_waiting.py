"""How a request without a task waits for a place: what it is told, once, whatever happens. In virtual time."""

import asyncio
from typing import cast
from unittest.mock import Mock

from endpointd.gateway.client import Client
from endpointd.gateway.waiting import Outcome, Vain, Waiting
from endpointd.supervisor.admission import Admission, NoPlace
from endpointd.supervisor.worker import Worker as RealWorker
from support.house import CLOCK, House, Worker, in_a_house, now


class Guest:
    """A request that waits, with its client."""

    def __init__(self, house: House) -> None:
        self.outcomes: list[tuple[float, object]] = []
        self.client = Mock(spec=Client, on_gone=None)
        turn = house.admission.line_up()
        assert turn is not None
        admission = cast("Admission[RealWorker]", house.admission)
        self.waiting = Waiting(admission, turn, self.client, self._over)

    def _over(self, waiting: Waiting, outcome: Outcome) -> None:
        assert waiting is self.waiting
        self.outcomes.append((now(), outcome))

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
        assert when == CLOCK
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
        assert guest.outcomes == [(0.0, Vain.CLIENT_GONE)]
        assert house.admission.queued == 0
        await asyncio.sleep(2 * CLOCK)
        assert len(guest.outcomes) == 1

    in_a_house(story)


def test_its_client_leaves_when_its_turn_has_come() -> None:
    """In the same turn of the event loop: the place that was promised is the next one's."""

    async def story(house: House) -> None:
        worker = await fill(house, stay=100)
        guest, next_guest = Guest(house), Guest(house)
        worker.places += 1
        house.admission.advance()
        guest.leave()
        assert guest.outcomes == [(0.0, Vain.CLIENT_GONE)]
        await house.settle()
        assert len(guest.outcomes) == 1
        assert next_guest.outcomes == [(0.0, worker)]

    in_a_house(story)


def test_its_worker_goes_and_nobody_takes_its_place() -> None:
    async def story(house: House) -> None:
        await fill(house)
        guest = Guest(house)
        house.admission.refuse(NoPlace("plugin_stopped", "it is stopped", None))
        await house.settle()
        assert guest.outcomes == [(0.0, Vain.WORKER_GONE)]

    in_a_house(story)


def test_its_worker_goes_after_its_turn_has_come() -> None:
    async def story(house: House) -> None:
        worker = await fill(house, stay=100)
        guest = Guest(house)
        worker.places += 1
        house.admission.advance()
        house.admission.serve_by(None)
        await house.settle()
        assert guest.outcomes == [(0.0, Vain.WORKER_GONE)]

    in_a_house(story)


def test_nobody_waits_without_a_task_for_a_worker_that_does_not_run() -> None:
    async def story(house: House) -> None:
        assert house.admission.line_up() is None

    in_a_house(story, places=None)


def test_nobody_waits_behind_a_full_queue() -> None:
    async def story(house: House) -> None:
        await fill(house)
        Guest(house)
        assert house.admission.line_up() is None

    in_a_house(story, queue_size=1)


def test_a_defect_ends_one_request_and_nothing_else() -> None:
    async def story(house: House) -> None:
        await fill(house)
        guest = Guest(house)
        guest._over = Mock(side_effect=RuntimeError("a defect"))  # type: ignore[method-assign]
        guest.waiting._over = guest._over
        await house.everybody()
        await house.settle()
        guest.client.abort.assert_called_once_with()

    in_a_house(story)
