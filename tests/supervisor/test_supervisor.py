"""What a supervisor does with its workers, in virtual time and without processes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import pytest

from endpointd.supervisor.admission import NoPlace
from endpointd.supervisor.foreman import TRIAL
from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.state import Policy, State
from support.fake_worker import FakeWorker, Stage, fake_workers, rules, settle
from support.virtual_time import run_in_virtual_time

Scenario: TypeAlias = Callable[[Stage], Awaitable[None]]


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_workers(monkeypatch):
        yield


def play(scenario: Scenario, **rules: Any) -> None:  # noqa: ANN401 - whatever a rule is
    async def main() -> None:
        stage = Stage(**rules)
        await scenario(stage)
        await stage.supervisor.stop()
        assert not [worker for worker in FakeWorker.made if worker.is_alive]

    run_in_virtual_time(main())


def now() -> float:
    return asyncio.get_running_loop().time()


# Replacement


def test_a_new_version_takes_over_when_it_is_ready_and_the_old_one_goes_after_the_trial() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        stage.change("v2")
        new = await stage.newest()
        assert stage.served == ["v1"]
        assert stage.takes() is old
        new.ready()
        await settle()
        assert stage.served == ["v1", "v2"]
        assert stage.takes() is new
        was_alive, had_proved = old.is_alive, set(stage.proved)
        await asyncio.sleep(TRIAL + 0.1)
        assert (was_alive, old.is_alive) == (True, False)
        assert (had_proved, stage.proved[-1]) == ({"v1"}, "v2")
        assert stage.supervisor.life.state is State.RUNNING

    play(scenario)


def test_a_new_version_that_does_not_load_leaves_the_old_one_serving() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        stage.change("v2")
        (await stage.newest()).refuse("load_failed", "syntax_error")
        await stage.supervisor.settled()
        assert stage.present() is old
        assert (stage.supervisor.life.state, stage.served) == (State.RUNNING, ["v1"])
        failure = stage.supervisor.failure
        assert failure is not None
        assert (failure.code, failure.release, failure.kept) == ("load_failed", "v2", True)
        await asyncio.sleep(600)
        assert len(FakeWorker.made) == 2, "what was refused is not tried again by itself"

    play(scenario)


def test_a_new_version_that_dies_at_once_gives_its_place_back() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        stage.change("v2")
        new = await stage.newest()
        new.ready()
        await settle()
        new.die()
        await settle()
        assert (stage.served, set(stage.proved)) == (["v1", "v2", "v1"], {"v1"})
        assert stage.takes() is old
        assert stage.supervisor.failure is not None
        assert stage.supervisor.failure.kept
        old.die()
        again = await stage.newest()
        assert again.order.release == "v1"

    play(scenario)


def test_a_worker_that_dies_while_the_next_one_starts_is_succeeded_by_it() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        stage.change("v2")
        new = await stage.newest()
        old.die()
        await settle()
        assert stage.supervisor.life.state is State.STARTING
        request = asyncio.create_task(stage.supervisor.admission.enter())
        await settle()
        new.ready()
        entered: object = await request
        assert entered is new

    play(scenario)


def test_when_both_fail_the_version_that_was_good_is_started_again() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        stage.change("v2")
        new = await stage.newest()
        old.die()
        await settle()
        new.refuse("load_failed", "syntax_error")
        await asyncio.sleep(1)
        again = await stage.newest()
        assert again.order.release == "v1"
        again.ready()
        await settle()
        assert stage.supervisor.life.state is State.RUNNING

    play(scenario)


def test_the_latest_change_wins() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()
        stage.change("v2")
        second = await stage.newest()
        stage.change("v3")
        third = await stage.newest()
        await settle()
        assert not second.is_alive
        third.ready()
        await stage.supervisor.settled()
        assert stage.served == ["v1", "v3"]

    play(scenario)


def test_a_change_in_the_midst_of_a_trial_keeps_the_one_on_trial() -> None:
    async def scenario(stage: Stage) -> None:
        first = await stage.begin()
        stage.change("v2")
        second = await stage.newest()
        second.ready()
        await settle()
        stage.change("v3")
        third = await stage.newest()
        await settle()
        assert not first.is_alive
        third.refuse()
        await stage.supervisor.settled()
        assert stage.present() is second
        assert stage.supervisor.order.release == "v2"

    play(scenario)


def test_a_plugin_that_was_stopped_is_not_started_by_a_change() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()
        await stage.supervisor.stop()
        stage.change("v2")
        await asyncio.sleep(100)
        assert len(FakeWorker.made) == 1
        stage.supervisor.start()
        assert (await stage.newest()).order.release == "v2"

    play(scenario)


@pytest.mark.parametrize("moment", ["starting", "replacing", "on trial", "backoff"])
def test_a_stop_ends_every_worker_at_any_moment(moment: str) -> None:
    async def scenario(stage: Stage) -> None:
        if moment == "starting":
            stage.supervisor.start()
            await settle()
            return
        worker = await stage.begin()
        if moment == "backoff":
            worker.die()
            (await stage.newest()).die()
            await settle()
            assert stage.supervisor.life.state is State.BACKOFF
            return
        stage.change("v2")
        new = await stage.newest()
        if moment == "on trial":
            new.ready()
            await settle()

    play(scenario)


# Failures


def test_the_delays_between_starts_grow_to_a_bound_and_end_in_fatal() -> None:
    async def scenario(stage: Stage) -> None:
        stage.supervisor.start()
        for _ in range(12):
            (await stage.newest()).die()
            await asyncio.sleep(10.1)
        assert stage.supervisor.life.state is State.FATAL
        deaths = [10.1 * number for number in range(12)]
        delays = [worker.made_at - death for worker, death in zip(FakeWorker.made[1:], deaths, strict=False)]
        assert delays[0] == pytest.approx(0, abs=0.001)
        assert 0.4 <= delays[1] <= 0.6
        assert all(later > 1.3 * earlier for earlier, later in pairwise(delays[1:5]))
        assert all(6.6 <= delay <= 10.0 for delay in delays[6:])
        with pytest.raises(NoPlace, match="does not run") as refusal:
            await stage.supervisor.admission.enter()
        assert refusal.value.code == "plugin_fatal"

    play(scenario, policy=Policy(12, 10.0), restart_longest=10.0)


async def told_late(stage: Stage) -> NoPlace:
    """What is told to a request that waits in vain."""
    with pytest.raises(NoPlace) as told:
        await stage.supervisor.admission.enter()
    return told.value


def test_who_waits_in_vain_for_a_worker_is_told_that_it_is_starting_or_has_failed() -> None:
    async def scenario(stage: Stage) -> None:
        stage.supervisor.start()
        await asyncio.sleep(7)
        starting = await told_late(stage)
        assert (starting.code, starting.retry_after) == ("plugin_starting", 1)
        assert starting.message.startswith("the plugin's worker has been starting for 17 s; see 'endpointd status some")
        waiting = asyncio.create_task(told_late(stage))
        await asyncio.sleep(stage.rules.clock_queue - 0.1)
        for _ in range(2):
            (await stage.newest()).die()
            await asyncio.sleep(0.01)
        assert stage.supervisor.life.state is State.BACKOFF
        assert (await waiting).code == "plugin_backoff"
        assert "s, after 2 failures; see" in (await told_late(stage)).message
        (await stage.newest()).ready()
        await settle()
        (await stage.newest()).places = 0
        assert (await told_late(stage)).code == "clock_queue"

    play(scenario)


def test_fatal_is_left_by_a_change() -> None:
    async def scenario(stage: Stage) -> None:
        stage.supervisor.start()
        (await stage.newest()).refuse("load_failed", "syntax_error")
        await settle()
        assert stage.supervisor.life.state is State.FATAL
        stage.change("v2")
        assert (stage.served, stage.proved) == (["v2"], [])
        (await stage.newest()).ready()
        await stage.supervisor.settled()
        assert (stage.supervisor.life.state, stage.served) == (State.RUNNING, ["v2"])
        assert set(stage.proved) == {"v2"}

    play(scenario)


# Hangs and age


def test_a_hung_worker_serves_until_another_one_is_ready() -> None:
    async def scenario(stage: Stage) -> None:
        hung = await stage.begin()
        hung.leave_a_request_in_its_thread()
        await asyncio.sleep(1.1)
        new = await stage.newest()
        assert new is not hung
        assert stage.takes() is hung
        new.ready()
        await settle()
        assert stage.takes() is new

    play(scenario)


def test_a_hung_worker_whose_replacement_failed_is_tried_again() -> None:
    async def scenario(stage: Stage) -> None:
        hung = await stage.begin()
        hung.leave_a_request_in_its_thread()
        await asyncio.sleep(1.1)
        (await stage.newest()).refuse()
        await settle()
        stage.supervisor.look(now())
        new = await stage.newest()
        assert len(FakeWorker.made) == 3
        new.ready()
        await stage.supervisor.settled()
        stage.supervisor.look(now())
        await settle()
        assert len(FakeWorker.made) == 3, "the new worker has nothing stuck"

    play(scenario)


@pytest.mark.parametrize(("chance", "bound"), [(0.0, 88), (1.0, 79)])
def test_a_worker_that_has_answered_enough_is_replaced_once(
    monkeypatch: pytest.MonkeyPatch, chance: float, bound: int
) -> None:
    async def scenario(stage: Stage) -> None:
        monkeypatch.setattr("random.random", lambda: chance)
        old = await stage.begin()
        old.requests = bound - 1
        stage.supervisor.look(now())
        await settle()
        assert len(FakeWorker.made) == 1
        old.requests = bound
        stage.supervisor.look(now())
        stage.supervisor.look(now())
        new = await stage.newest()
        assert len(FakeWorker.made) == 2
        new.ready()
        await stage.supervisor.settled()
        assert stage.supervisor.crew.requests == bound

    play(scenario, bounds=Bounds(requests=88))


def test_a_worker_that_runs_is_held_to_the_bounds_of_the_moment() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        old.requests = 100
        stage.supervisor.look(now())
        await settle()
        assert len(FakeWorker.made) == 1
        stage.supervisor.regulate(rules(bounds=Bounds(requests=100)))
        stage.supervisor.look(now())
        assert await stage.newest() is not old

    play(scenario)


def test_workers_that_began_together_are_not_replaced_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(stage: Stage) -> None:
        monkeypatch.setattr("random.random", lambda: 1.0)
        early = await stage.begin()
        early.requests = 90
        stage.supervisor.look(now())
        assert await stage.newest() is not early

    play(scenario, bounds=Bounds(requests=100))


def test_every_worker_is_looked_after() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        stage.change("v2")
        (await stage.newest()).ready()
        await settle()
        stage.supervisor.look(5.0)
        assert [worker.looked_at for worker in FakeWorker.made] == [[5.0], [5.0]]
        assert old.is_alive

    play(scenario)
