"""Who gets a place, when, and who is told that there is none. In virtual time: no test waits."""

import asyncio
import traceback

import pytest

from endpointd.supervisor.admission import NoPlace
from support.house import CLOCK, House, Worker, in_a_house, now

STOPPED = NoPlace("plugin_stopped", "the plugin is stopped", None)


# Order


def test_the_first_to_come_is_the_first_to_enter() -> None:
    async def story(house: House) -> None:
        for _ in range(6):
            house.arrive()
        await house.everybody()

    assert [visit.entered for visit in in_a_house(story, places=2).visits] == [0, 0, 1, 1, 2, 2]


def test_nobody_passes_those_who_wait() -> None:
    async def story(house: House) -> None:
        house.arrive(stay=1)
        waiting = house.arrive()
        await asyncio.sleep(1)
        late = house.arrive()
        assert house.admission.enter_at_once() is None
        await house.everybody()
        assert waiting.entered is not None
        assert late.entered is not None
        assert waiting.entered < late.entered

    in_a_house(story)


def test_nobody_passes_them_to_a_place_that_they_are_yet_to_be_told_of() -> None:
    """A client that sent two requests ahead begins the second one in the moment in which the first is over."""

    async def story(house: House) -> None:
        house.admission.serve_by(worker := Worker(1))
        house.arrive_without_task(stay=100)
        waiting = house.arrive_without_task()
        worker.places += 1
        assert house.admission.enter_at_once() is None
        house.admission.advance()
        assert waiting.entered == now()

    in_a_house(story)


def test_a_promised_place_is_nobody_elses() -> None:
    async def story(house: House) -> None:
        worker = Worker(1)
        waiting = house.arrive()
        await house.settle()
        house.admission.serve_by(worker)
        assert house.admission.enter_at_once() is None
        await house.settle()
        assert waiting.worker is worker

    in_a_house(story, places=None)


def test_places_are_kept_in_the_queue_when_the_worker_goes() -> None:
    """The worker goes after places were promised, and before those who were promised them could run."""

    async def story(house: House) -> None:
        visits = [house.arrive() for _ in range(4)]
        await house.settle()
        house.admission.serve_by(Worker(3))
        house.admission.serve_by(None)
        await asyncio.sleep(1)
        assert house.admission.queued == 4
        house.admission.serve_by(Worker(1))
        await house.everybody()
        assert [visit.entered for visit in visits] == [1, 2, 3, 4]

    in_a_house(story, places=None)


def test_the_longest_waiting_enters_a_smaller_worker_that_takes_over() -> None:
    async def story(house: House) -> None:
        visits = [house.arrive() for _ in range(3)]
        await house.settle()
        house.admission.serve_by(Worker(3))
        house.admission.serve_by(Worker(1))
        await house.everybody()
        assert [visit.entered for visit in visits] == [0, 1, 2]

    in_a_house(story, places=None)


def test_a_promise_of_a_worker_that_has_gone_passes_nobody_by() -> None:
    """The first wakes while there is no worker; a new one comes; then the second wakes, with its old promise."""

    async def story(house: House) -> None:
        first, second = house.arrive(), house.arrive()
        await house.settle()
        house.admission.serve_by(Worker(1))
        asyncio.get_running_loop().call_soon(house.admission.serve_by, Worker(1))
        house.admission.serve_by(Worker(2))
        house.admission.serve_by(None)
        await house.everybody()
        assert (first.entered, second.entered) == (0, 1)

    in_a_house(story, places=None)


# Refusal


def test_a_full_queue_is_told_at_once() -> None:
    async def story(house: House) -> None:
        visits = [house.arrive() for _ in range(5)]
        await house.settle()
        assert [visit.code for visit in visits] == [None, None, None, "queue_full", "queue_full"]
        assert house.admission.queued == 2
        await house.everybody()
        assert [visit.entered for visit in visits[:3]] == [0, 1, 2]

    in_a_house(story, queue_size=2)


def test_without_a_queue_nobody_waits() -> None:
    async def story(house: House) -> None:
        visits = [house.arrive() for _ in range(2)]
        await house.everybody()
        assert [visit.code for visit in visits] == [None, "queue_full"]

    in_a_house(story, queue_size=0)


def test_the_wait_has_a_clock() -> None:
    async def story(house: House) -> None:
        house.arrive(stay=100)
        waiting = house.arrive()
        await asyncio.sleep(CLOCK - 0.1)
        codes = [waiting.code]
        await asyncio.sleep(0.2)
        assert [*codes, waiting.code] == [None, "clock_queue"]
        assert house.admission.queued == 0

    in_a_house(story)


def test_without_a_clock_the_wait_has_no_end() -> None:
    async def story(house: House) -> None:
        house.arrive(stay=10_000)
        waiting = house.arrive()
        await house.everybody()
        assert waiting.entered == 10_000

    in_a_house(story, clock=0)


def test_a_refusal_is_told_to_those_who_wait_and_to_those_who_come() -> None:
    async def story(house: House) -> None:
        waiting = house.arrive()
        await house.settle()
        house.admission.refuse(STOPPED)
        late = house.arrive()
        await house.settle()
        assert waiting.code == late.code == "plugin_stopped"
        assert house.admission.queued == 0
        house.admission.serve_by(Worker(1))
        welcome = house.arrive()
        await house.everybody()
        assert welcome.entered == 0

    in_a_house(story, places=None)


def test_a_refusal_reaches_those_who_were_promised_a_place() -> None:
    async def story(house: House) -> None:
        waiting = house.arrive()
        await house.settle()
        house.admission.serve_by(Worker(1))
        house.admission.refuse(STOPPED)
        await house.settle()
        assert waiting.code == "plugin_stopped"

    in_a_house(story, places=None)


def test_a_refusal_keeps_nothing_of_those_it_was_told() -> None:
    async def story(house: House) -> None:
        house.admission.refuse(STOPPED)
        depths = []
        for _ in range(3):
            with pytest.raises(NoPlace) as told:
                await house.admission.enter()
            assert told.value is not STOPPED
            assert (told.value.code, str(told.value)) == (STOPPED.code, str(STOPPED))
            depths.append(len(traceback.extract_tb(told.value.__traceback__)))
        assert len(set(depths)) == 1

    in_a_house(story, places=None)


def test_each_that_waits_is_told_with_an_exception_of_its_own() -> None:
    async def story(house: House) -> None:
        waiting = [asyncio.create_task(house.admission.enter()) for _ in range(3)]
        await house.settle()
        house.admission.refuse(STOPPED)
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert len({id(error) for error in (*told, STOPPED)}) == 4

    in_a_house(story, places=None)


# Leaving


def test_one_that_leaves_the_queue_holds_nobody_up() -> None:
    async def story(house: House) -> None:
        house.arrive(stay=1)
        house.arrive()
        last = house.arrive()
        await house.settle()
        house.tasks[1].cancel()
        await house.everybody()
        assert last.entered == 1

    in_a_house(story)


def test_one_that_leaves_with_a_promise_passes_it_on() -> None:
    async def story(house: House) -> None:
        house.arrive()
        last = house.arrive()
        await house.settle()
        house.admission.serve_by(Worker(1))
        house.tasks[0].cancel()
        await house.settle()
        assert last.entered == 0

    in_a_house(story, places=None)
