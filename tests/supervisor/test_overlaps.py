"""What operators, changes and failures do to a plugin's workers when they come together, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import pytest

from endpointd.supervisor.recycling import Bounds
from endpointd.supervisor.state import State
from support.fake_worker import FakeWorker, Stage, fake_workers, settle
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


async def proved(stage: Stage) -> FakeWorker:
    """A worker of v2 that has stood its trial."""
    await stage.begin()
    stage.change("v2")
    worker = await stage.newest()
    worker.ready()
    await stage.supervisor.settled()
    return worker


def test_a_stop_returns_though_the_plugin_is_started_meanwhile() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()

        async def restart() -> None:
            await stage.supervisor.settled()
            stage.supervisor.start()

        stopping = asyncio.create_task(stage.supervisor.stop())
        await asyncio.sleep(0)
        restarting = asyncio.create_task(restart())
        async with asyncio.timeout(60):
            await stopping
        await restarting
        assert stage.supervisor.life.state is State.STARTING

    play(scenario)


def test_who_wants_a_worker_after_the_end_is_too_late() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()
        await stage.supervisor.close()
        stage.supervisor.start()
        stage.change("v2")
        await settle()
        assert (stage.supervisor.life.state, len(FakeWorker.made)) == (State.STOPPED, 1)

    play(scenario)


def test_when_a_change_of_a_plugin_that_is_down_fails_requests_are_the_good_versions_again() -> None:
    async def scenario(stage: Stage) -> None:
        (await proved(stage)).die()
        await settle()
        assert stage.supervisor.life.state is State.STARTING
        stage.change("v3")
        assert stage.served[-1] == "v3", "nobody answers for the old version any more"
        (await stage.newest()).refuse("load_failed", "syntax_error")
        await asyncio.sleep(1)
        good = await stage.newest()
        assert good.order.release == "v2"
        good.ready()
        await settle()
        assert stage.served[-1] == "v2"

    play(scenario)


def test_what_is_stuck_in_an_old_worker_counts_when_that_has_to_serve_again() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        await stage.supervisor.settled()
        stage.change("v2")
        new = await stage.newest()
        new.ready()
        await settle()
        assert stage.takes() is new
        old.leave_a_request_in_its_thread()
        await asyncio.sleep(0.5)
        new.die()
        await settle()
        assert stage.takes() is old, "the trial was not over"
        stage.supervisor.look(now())
        (await stage.newest()).ready()
        await settle()
        assert stage.takes() is FakeWorker.made[-1] is not old
        await asyncio.sleep(2)
        assert not old.is_alive

    play(scenario, clock_cancel_grace=0.1)


def test_the_delay_of_an_earlier_failure_does_not_shorten_that_of_a_later_one() -> None:
    async def scenario(stage: Stage) -> None:
        stage.supervisor.start()
        for _ in range(3):
            (await stage.newest()).die()
            await asyncio.sleep(0.01)
            stage.supervisor.start()
        (await stage.newest()).die()
        await settle()
        assert stage.supervisor.life.state is State.BACKOFF
        died = now()
        await asyncio.sleep(10)
        assert (await stage.newest()).made_at - died >= 0.8 * 2

    play(scenario)


def test_a_worker_whose_replacements_fail_is_replaced_at_growing_intervals() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        old.requests = 100
        for _ in range(100):
            stage.supervisor.look(now())
            newest = await stage.newest()
            if newest is not old and newest.is_alive:
                newest.refuse()
            await asyncio.sleep(1)
        assert old.is_alive
        tries = [worker.made_at for worker in FakeWorker.made[1:]]
        assert len(tries) <= 10
        assert all(later - earlier >= 0.6 * 2**number for number, (earlier, later) in enumerate(pairwise(tries[2:])))

    play(scenario, bounds=Bounds(requests=88))


def test_a_worker_that_cannot_even_be_made_is_a_failure_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: object) -> None:
        raise ValueError("embedded null byte")

    async def scenario(stage: Stage) -> None:
        monkeypatch.setattr(FakeWorker, "start", refuse)
        stage.supervisor.start()
        await asyncio.sleep(600)
        assert stage.supervisor.life.state is State.FATAL
        failure = stage.supervisor.failure
        assert failure is not None
        assert (failure.code, "null byte" in failure.message) == ("spawn_failed", True)

    play(scenario)
