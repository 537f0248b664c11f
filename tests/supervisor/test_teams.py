"""Several workers of one plugin: how they begin, die, are relieved and replaced, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import pytest

from endpointd.supervisor.foreman import TRIAL
from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.state import State
from support.fake_worker import FakeWorker, Stage, fake_workers, rules, settle
from support.virtual_time import run_in_virtual_time

Scenario: TypeAlias = Callable[[Stage], Awaitable[None]]


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_workers(monkeypatch):
        yield


def play(scenario: Scenario, **changes: Any) -> None:  # noqa: ANN401 - whatever a rule is
    async def main() -> None:
        stage = Stage(**{"workers": 2, **changes})
        await scenario(stage)
        await stage.supervisor.stop()
        assert stage.supervisor.life.state is State.STOPPED
        assert not alive()

    run_in_virtual_time(main())


def alive() -> list[FakeWorker]:
    return [worker for worker in FakeWorker.made if worker.is_alive]


def takers(stage: Stage) -> set[object]:
    """The workers that requests are given to."""
    return {stage.takes() for _ in range(8)}


async def begin(stage: Stage) -> list[FakeWorker]:
    """All workers, ready."""
    await stage.begin()
    return await come(stage)


async def come(stage: Stage) -> list[FakeWorker]:
    """Let everyone become ready who is starting; returns those that take requests then."""
    await settle()
    while coming := [worker for worker in alive() if not worker.free_places()]:
        for worker in coming:
            worker.ready()
        await settle()
    return [worker for worker in alive() if worker in takers(stage)]


def failure_of(stage: Stage) -> tuple[str, bool]:
    assert stage.supervisor.failure is not None
    return stage.supervisor.failure.code, stage.supervisor.failure.kept


# Beginning


def test_the_first_shows_that_the_plugin_loads_and_the_others_follow() -> None:
    async def scenario(stage: Stage) -> None:
        first = await stage.begin()
        assert (stage.supervisor.life.state, takers(stage)) == (State.RUNNING, {first})
        was_settled = stage.supervisor.is_settled
        assert len(FakeWorker.made) == 3
        everybody = await come(stage)
        assert takers(stage) == {*everybody} == {*FakeWorker.made}
        assert (was_settled, stage.supervisor.is_settled) == (False, True)
        assert stage.supervisor.pids == tuple(worker.pid for worker in FakeWorker.made)

    play(scenario, workers=3)


def test_a_plugin_that_does_not_load_is_tried_by_one_worker_alone() -> None:
    async def scenario(stage: Stage) -> None:
        stage.supervisor.start()
        (await stage.newest()).refuse("load_failed", "syntax_error")
        await stage.supervisor.settled()
        assert stage.supervisor.life.state is State.FATAL
        assert len(FakeWorker.made) == 1

    play(scenario)


def test_one_that_cannot_start_beside_the_others_is_tried_again_later_and_later() -> None:
    """Such as a plugin that binds a port: it runs, with what it has."""

    async def scenario(stage: Stage) -> None:
        first = await stage.begin()
        began = len(FakeWorker.made)
        times = []
        for _ in range(8):
            second = await stage.newest()
            times.append(second.made_at)
            second.refuse("load_failed", "import_failed")
            await stage.supervisor.settled()
            assert (stage.supervisor.life.state, takers(stage)) == (State.RUNNING, {first})
            await asyncio.sleep(60)
        assert failure_of(stage) == ("load_failed", True)
        assert began == 2
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert len(pauses) == 7
        assert stage.supervisor.restarts == 8

    play(scenario)


# Dying


def test_when_one_dies_the_other_goes_on_and_another_comes() -> None:
    async def scenario(stage: Stage) -> None:
        one, other = await begin(stage)
        one.die()
        await settle()
        assert (stage.supervisor.life.state, takers(stage)) == (State.RUNNING, {other})
        assert failure_of(stage) == ("worker_died", True)
        assert stage.supervisor.restarts == 1
        after = await come(stage)
        assert len(after) == 2
        assert other in after
        assert stage.served == ["v1"], "the routes stay as they are"

    play(scenario)


def test_when_all_are_dead_the_plugin_begins_again_with_one() -> None:
    async def scenario(stage: Stage) -> None:
        for worker in await begin(stage):
            worker.die()
        await settle()
        assert stage.supervisor.life.state in (State.BACKOFF, State.STARTING)
        request = asyncio.create_task(stage.supervisor.admission.enter())
        await settle()
        starting = [worker for worker in alive() if not worker.free_places()]
        assert len(starting) == 1
        starting[0].ready()
        entered: object = await request
        assert entered is starting[0]
        assert len(await come(stage)) == 2

    play(scenario)


def test_those_who_die_again_and_again_are_started_later_and_later_while_one_goes_on() -> None:
    async def scenario(stage: Stage) -> None:
        first = await stage.begin()
        times = []
        for _ in range(9):
            second = await stage.newest()
            times.append(second.made_at)
            second.ready()
            await settle()
            second.die()
            made = len(FakeWorker.made)
            for _ in range(1000):
                if len(FakeWorker.made) == made:
                    await asyncio.sleep(0.1)
        pauses = [later - earlier for earlier, later in pairwise(times)]
        assert pauses[0] < 0.2
        assert all(later > earlier * 1.2 for earlier, later in pairwise(pauses[2:7]))
        assert (stage.supervisor.life.state, takers(stage)) == (State.RUNNING, {first})

    play(scenario)


def test_a_plugin_all_of_whose_workers_fall_again_and_again_becomes_fatal() -> None:
    async def scenario(stage: Stage) -> None:
        stage.supervisor.start()
        for _ in range(400):
            if stage.supervisor.life.state is State.FATAL:
                break
            for worker in await come(stage):
                worker.die()
            await asyncio.sleep(1)
        assert stage.supervisor.life.state is State.FATAL
        assert len(FakeWorker.made) < 20

    play(scenario)


# A new version


def test_a_new_version_takes_over_with_all_its_workers_at_once() -> None:
    async def scenario(stage: Stage) -> None:
        old = await begin(stage)
        stage.change("v2")
        first = await stage.newest()
        first.ready()
        second = await stage.newest()
        assert second is not first
        assert (takers(stage), stage.served) == ({*old}, ["v1"])
        second.ready()
        await settle()
        assert (takers(stage), stage.served) == ({first, second}, ["v1", "v2"])
        assert all(worker.is_alive for worker in old), "until the trial is over"
        await asyncio.sleep(TRIAL + 0.1)
        assert {*alive()} == {first, second}

    play(scenario)


def test_a_new_version_that_does_not_load_leaves_all_of_the_old_one() -> None:
    async def scenario(stage: Stage) -> None:
        old = await begin(stage)
        stage.change("v2")
        (await stage.newest()).refuse("load_failed", "syntax_error")
        await stage.supervisor.settled()
        assert takers(stage) == {*old}
        assert (len(FakeWorker.made), failure_of(stage)) == (3, ("load_failed", True))

    play(scenario)


@pytest.mark.parametrize("place", [0, 1])
def test_a_new_version_one_of_whose_workers_dies_at_once_gives_its_place_back(place: int) -> None:
    async def scenario(stage: Stage) -> None:
        old = await begin(stage)
        stage.change("v2")
        new = [worker for worker in await come(stage) if worker not in old]
        assert takers(stage) == {*new}
        new[place].die()
        await settle()
        assert stage.served == ["v1", "v2", "v1"]
        assert {*alive()} == takers(stage) == {*old}

    play(scenario)


def test_a_new_version_one_of_whose_workers_dies_before_all_are_there_is_given_up() -> None:
    async def scenario(stage: Stage) -> None:
        old = await begin(stage)
        stage.change("v2")
        first = await stage.newest()
        first.ready()
        await settle()
        first.die()
        await settle()
        assert {*alive()} == takers(stage) == {*old}
        assert stage.served == ["v1"]

    play(scenario)


def test_when_the_old_ones_die_meanwhile_the_new_version_does_not_wait_for_all() -> None:
    async def scenario(stage: Stage) -> None:
        old = await begin(stage)
        stage.change("v2")
        first = await stage.newest()
        first.ready()
        await settle()
        for worker in old:
            worker.die()
        await settle()
        assert (takers(stage), stage.served) == ({first}, ["v1", "v2"])
        assert len(await come(stage)) == 2
        await asyncio.sleep(TRIAL + 0.1)
        assert {worker.order.release for worker in alive()} == {"v2"}

    play(scenario)


def test_a_new_version_that_cannot_have_all_its_workers_takes_over_with_those_it_has() -> None:
    async def scenario(stage: Stage) -> None:
        await begin(stage)
        stage.change("v2")
        first = await stage.newest()
        first.ready()
        (await stage.newest()).refuse("load_failed", "import_failed")
        await settle()
        assert takers(stage) == {first}
        assert stage.served == ["v1", "v2"]

    play(scenario)


# Single ones


def test_one_that_has_served_its_time_is_relieved_alone_and_one_after_the_other() -> None:
    async def scenario(stage: Stage) -> None:
        one, other = await begin(stage)
        one.requests = other.requests = 100
        stage.supervisor.look(now())
        stage.supervisor.look(now())
        third = await stage.newest()
        assert len(FakeWorker.made) == 3
        assert takers(stage) == {one, other}
        third.ready()
        await settle()
        assert takers(stage) == {other, third}
        assert not one.is_alive
        stage.supervisor.look(now())
        assert (await stage.newest()) is not third
        assert {*await come(stage)} == {third, FakeWorker.made[-1]}
        assert stage.supervisor.causes["recycled"] == 2
        assert stage.supervisor.life.failures == stage.supervisor.restarts == 0

    play(scenario, bounds=Bounds(requests=100))


def test_one_that_has_a_request_stuck_is_relieved_alone() -> None:
    async def scenario(stage: Stage) -> None:
        one, other = await begin(stage)
        one.leave_a_request_in_its_thread()
        await asyncio.sleep(1.5)
        stage.supervisor.look(now())
        third = await stage.newest()
        third.ready()
        await settle()
        assert takers(stage) == {other, third}
        assert stage.supervisor.restarts == 0

    play(scenario)


def test_a_relief_that_fails_is_tried_again_later_and_who_was_to_go_stays() -> None:
    async def scenario(stage: Stage) -> None:
        one, other = await begin(stage)
        one.leave_a_request_in_its_thread()
        await asyncio.sleep(1.5)
        for made in (3, 4):
            stage.supervisor.look(now())
            (await stage.newest()).refuse()
            await settle()
            assert takers(stage) == {one, other}
            assert len(FakeWorker.made) == made
        stage.supervisor.look(now())
        assert len(FakeWorker.made) == 4, "not at once"
        await asyncio.sleep(5)
        stage.supervisor.look(now())
        assert len(await come(stage)) == 2
        assert not one.is_alive

    play(scenario)


def test_a_relief_that_is_starting_does_not_outlive_those_it_was_to_join() -> None:
    async def scenario(stage: Stage) -> None:
        one, other = await begin(stage)
        one.requests = 100
        stage.supervisor.look(now())
        third = await stage.newest()
        one.die()
        other.die()
        await settle()
        assert not third.is_alive
        assert stage.supervisor.life.state in (State.BACKOFF, State.STARTING)
        assert len(await come(stage)) == 2

    play(scenario, bounds=Bounds(requests=100))


# Their number


def test_the_number_changes_while_they_serve() -> None:
    async def scenario(stage: Stage) -> None:
        one, other = await begin(stage)
        stage.supervisor.regulate(rules(workers=3))
        assert takers(stage) == {one, other}
        assert len(await come(stage)) == 3
        stage.supervisor.regulate(rules(workers=1))
        await settle()
        assert takers(stage) == {one}
        assert alive() == [one]
        assert stage.served == ["v1"]

    play(scenario)


def test_fewer_are_wanted_while_some_are_starting() -> None:
    async def scenario(stage: Stage) -> None:
        first = await stage.begin()
        stage.supervisor.regulate(rules(workers=1))
        await settle()
        assert alive() == [first]
        assert stage.supervisor.is_settled

    play(scenario, workers=4)


def now() -> float:
    return asyncio.get_running_loop().time()
