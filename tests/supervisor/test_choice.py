"""Which of several workers gets the next request, and how many a queue may be promised."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from endpointd.supervisor.choice import Choice
from support.house import House, Worker, in_a_house

LOADS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=6)
"""Places of workers, and how many of them are taken."""


def worker(places: int, taken: int = 0) -> Worker:
    made = Worker(places)
    made.taken = min(taken, places)
    return made


@given(LOADS, st.integers(0, 8))
def test_the_one_with_the_most_free_places_is_chosen(loads: list[tuple[int, int]], promised: int) -> None:
    workers = [worker(*load) for load in loads]
    free = [one.free_places() for one in workers]
    chosen = Choice(workers).choose(promised)
    if chosen is None:
        assert sum(free) <= promised
    else:
        assert sum(free) > promised
        assert chosen.free_places() == max(free)


@given(st.integers(2, 6), st.integers(1, 5), st.data())
def test_however_requests_come_and_go_they_are_spread_evenly(number: int, places: int, data: st.DataObject) -> None:
    workers = [worker(places) for _ in range(number)]
    choice = Choice(workers)
    for _ in range(data.draw(st.integers(0, 30))):
        chosen = choice.choose()
        if chosen is None:
            assert all(one.taken == places for one in workers)
            data.draw(st.sampled_from(workers)).taken -= 1
            continue
        least = min(one.taken for one in workers)
        assert chosen.taken == least
        chosen.taken += 1


def test_those_that_are_equal_take_turns() -> None:
    workers = [worker(2) for _ in range(3)]
    choice = Choice(workers)
    assert [choice.choose() for _ in range(6)] == workers * 2


def test_one_that_takes_nothing_is_passed_by() -> None:
    doubtful, fine = worker(0), worker(1)
    choice = Choice([doubtful, fine])
    assert [choice.choose(), choice.choose()] == [fine, fine]
    fine.taken = 1
    assert choice.choose() is None


def test_the_places_of_all_are_there_for_those_who_wait() -> None:
    async def story(house: House) -> None:
        visits = [house.arrive() for _ in range(6)]
        await house.settle()
        workers = [Worker(2), Worker(2)]
        house.admission.serve_by(*workers)
        # Of what is promised, nobody who comes later has anything.
        assert house.admission.enter_at_once() is None
        await house.settle()
        assert [one.taken for one in workers] == [2, 2]
        await house.everybody()
        assert [visit.entered for visit in visits] == [0, 0, 0, 0, 1, 1]

    in_a_house(story, places=None)


def test_when_one_goes_those_who_wait_have_the_other() -> None:
    async def story(house: House) -> None:
        going, staying = Worker(2), Worker(1)
        house.admission.serve_by(going, staying)
        visits = [house.arrive(stay=5) for _ in range(4)]
        await asyncio.sleep(1)
        house.admission.serve_by(staying)
        await house.everybody()
        assert visits[3].worker is staying

    in_a_house(story, places=None, clock=60)
