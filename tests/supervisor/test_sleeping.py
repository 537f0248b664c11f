"""A plugin whose worker is only there when it is needed, in virtual time and without processes."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from endpointd.supervisor import foreman as module
from endpointd.supervisor.admission import NoPlace
from endpointd.supervisor.idling import UNASKED
from endpointd.supervisor.state import State
from support.fake_worker import FakeWorker, Stage, fake_workers, order, settle
from support.virtual_time import run_in_virtual_time

Scenario: TypeAlias = Callable[[Stage], Awaitable[None]]
IDLE = 60.0


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_workers(monkeypatch):
        yield


def play(scenario: Scenario, **rules: Any) -> None:  # noqa: ANN401 - whatever a rule is
    async def main() -> None:
        stage = Stage(**({"on_demand": True, "idle_stop": IDLE} | rules))
        stage.supervisor.sleep()
        looking = asyncio.create_task(look_every_second(stage))
        await scenario(stage)
        looking.cancel()
        await stage.supervisor.stop()
        assert not [worker for worker in FakeWorker.made if worker.is_alive]

    run_in_virtual_time(main())


async def look_every_second(stage: Stage) -> None:
    while True:
        await asyncio.sleep(1.0)
        stage.supervisor.look(asyncio.get_running_loop().time())


def ask(stage: Stage) -> "asyncio.Task[Any]":
    return asyncio.create_task(stage.supervisor.admission.enter())


async def woken(stage: Stage) -> FakeWorker:
    """The worker that a request has started, ready; it has had that request and has answered it."""
    request = ask(stage)
    worker: FakeWorker = await stage.newest()
    worker.ready()
    entered: object = await request
    assert entered is worker
    worker.requests += 1
    return worker


def state(stage: Stage) -> State:
    return stage.supervisor.life.state


async def codes(requests: "list[asyncio.Task[Any]]") -> list[str]:
    answers = await asyncio.gather(*requests, return_exceptions=True)
    return [answer.code if isinstance(answer, NoPlace) else "" for answer in answers]


# Waking


def test_no_worker_is_there_before_it_is_needed_and_one_start_serves_all_who_wait() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.supervisor.settled()
        await asyncio.sleep(1000)
        assert (state(stage), FakeWorker.made) == (State.SLEEPING, [])
        requests = [ask(stage) for _ in range(4)]
        worker = await stage.newest()
        assert stage.supervisor.is_waking
        requests += [ask(stage) for _ in range(4)]
        await settle()
        worker.places = 8
        worker.ready()
        entered = await asyncio.gather(*requests)
        assert entered == [worker] * 8
        assert (len(FakeWorker.made), stage.supervisor.restarts) == (1, 0)

    play(scenario)


def test_the_bounds_of_the_queue_hold_while_it_wakes() -> None:
    async def scenario(stage: Stage) -> None:
        requests = [ask(stage) for _ in range(5)]
        assert await codes(requests) == ["plugin_starting"] * 3 + ["queue_full"] * 2
        worker = await stage.newest()
        worker.ready()
        assert await ask(stage) is worker

    play(scenario, queue_size=3)


def test_who_must_not_wait_wakes_it_for_the_next_one() -> None:
    async def scenario(stage: Stage) -> None:
        assert await codes([ask(stage)]) == ["queue_full"]
        worker = await stage.newest()
        worker.ready()
        await settle()
        assert await ask(stage) is worker

    play(scenario, queue_size=0)


def test_a_client_that_goes_leaves_the_start_to_the_others() -> None:
    async def scenario(stage: Stage) -> None:
        gone, stays = ask(stage), ask(stage)
        worker = await stage.newest()
        gone.cancel()
        await settle()
        worker.ready()
        assert await stays is worker
        assert len(FakeWorker.made) == 1

    play(scenario)


def test_a_worker_that_dies_while_it_is_waited_for_is_followed_by_another() -> None:
    async def scenario(stage: Stage) -> None:
        request = ask(stage)
        (await stage.newest()).die()
        await asyncio.sleep(0.5)
        second = await stage.newest()
        second.ready()
        assert await request is second
        assert len(FakeWorker.made) == 2

    play(scenario)


def test_what_cannot_be_loaded_is_fatal_for_all_who_wait() -> None:
    async def scenario(stage: Stage) -> None:
        requests = [ask(stage) for _ in range(3)]
        (await stage.newest()).refuse("load_failed", "syntax_error")
        assert await codes(requests) == ["plugin_fatal"] * 3
        assert await codes([ask(stage)]) == ["plugin_fatal"]
        assert (state(stage), len(FakeWorker.made)) == (State.FATAL, 1)

    play(scenario)


# Falling asleep


def test_it_sleeps_when_it_was_idle_and_wakes_again() -> None:
    async def scenario(stage: Stage) -> None:
        first = await woken(stage)
        await asyncio.sleep(IDLE - 1)
        assert state(stage) is State.RUNNING
        await asyncio.sleep(3)
        assert (state(stage), first.is_alive) == (State.SLEEPING, False)
        assert stage.supervisor.crew.requests == 1
        second = await woken(stage)
        assert second is not first
        assert stage.served == ["v1"]

    play(scenario)


def test_requests_and_whatever_else_it_does_keep_it_awake() -> None:
    async def scenario(stage: Stage) -> None:
        worker = await woken(stage)
        worker.is_busy = True
        await asyncio.sleep(10 * IDLE)
        worker.is_busy = False
        for _ in range(10):
            await asyncio.sleep(IDLE - 2)
            worker.requests += 1
        assert state(stage) is State.RUNNING
        await asyncio.sleep(IDLE + 2)
        assert state(stage) is State.SLEEPING

    play(scenario)


def test_a_request_that_comes_while_the_worker_ends_gets_another_one() -> None:
    async def scenario(stage: Stage) -> None:
        first = await woken(stage)
        ending: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def drain(_seconds: float) -> str:
            return await ending

        first.drain = drain  # type: ignore[method-assign]
        await asyncio.sleep(IDLE + 2)
        assert state(stage) is State.SLEEPING
        second = await woken(stage)
        ending.set_result("exited with status 0")
        first.die("exited with status 0")
        await settle()
        assert (state(stage), stage.present()) == (State.RUNNING, second)

    play(scenario)


@pytest.mark.parametrize("rules", [{"idle_stop": 0.0}, {"on_demand": False}])
def test_who_is_not_to_sleep_does_not(rules: dict[str, Any]) -> None:
    async def scenario(stage: Stage) -> None:
        await woken(stage)
        await asyncio.sleep(100 * IDLE)
        assert state(stage) is State.RUNNING

    play(scenario, **rules)


def test_what_was_started_only_to_see_that_it_can_be_sleeps_soon() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()
        await asyncio.sleep(UNASKED + 2)
        assert state(stage) is State.SLEEPING

    play(scenario)


# What operators do with it


def test_it_is_stopped_and_started_like_any_other() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.supervisor.stop()
        assert (state(stage), await codes([ask(stage)])) == (State.STOPPED, ["plugin_stopped"])
        worker = await stage.begin()
        assert stage.takes() is worker

    play(scenario)


def test_a_change_is_tried_at_once_and_sleeps_then() -> None:
    async def scenario(stage: Stage) -> None:
        stage.change("v2")
        request = ask(stage)
        worker = await stage.newest()
        assert worker.order.release == "v2"
        worker.ready()
        assert await request is worker
        await asyncio.sleep(IDLE + 3)
        assert state(stage) is State.SLEEPING
        assert stage.supervisor.order.release == "v2"

    play(scenario)


def test_a_change_that_cannot_be_loaded_leaves_what_slept() -> None:
    async def scenario(stage: Stage) -> None:
        stage.change("v2")
        request = ask(stage)
        (await stage.newest()).refuse("load_failed", "syntax_error")
        await asyncio.sleep(0.5)
        worker = await stage.newest()
        assert worker.order.release == "v1"
        worker.ready()
        assert await request is worker
        failure = stage.supervisor.failure
        assert failure is not None
        assert (failure.release, stage.served[-1]) == ("v2", "v1")

    play(scenario)


def test_other_rules_wake_it_when_it_is_always_to_be_there() -> None:
    async def scenario(stage: Stage) -> None:
        stage.supervisor.regulate(replace(stage.rules, queue_size=1))
        await settle()
        assert FakeWorker.made == []
        stage.supervisor.regulate(replace(stage.rules, on_demand=False))
        (await stage.newest()).ready()
        await settle()
        assert state(stage) is State.RUNNING

    play(scenario)


def test_nobody_wakes_it_at_the_end() -> None:
    async def scenario(stage: Stage) -> None:
        closing = asyncio.create_task(stage.supervisor.close())
        assert await codes([ask(stage)]) == ["plugin_stopped"]
        await closing
        stage.supervisor.replace(order("v2"), stage.rules)
        assert FakeWorker.made == []

    play(scenario)


def test_it_may_be_ended_while_it_wakes() -> None:
    async def scenario(stage: Stage) -> None:
        request = ask(stage)
        worker = await stage.newest()
        await stage.supervisor.close()
        assert not worker.is_alive
        assert await codes([request]) == ["plugin_stopped"]

    play(scenario)


# By chance


class Ready(FakeWorker):
    """Becomes ready by itself after a while, and knows when it is ended with requests in it."""

    chance: random.Random
    lost = 0

    async def start(self, python: Path) -> None:
        asyncio.get_running_loop().call_later(self.chance.random() * 0.2, self.ready)
        await super().start(python)

    async def drain(self, seconds: float) -> str:
        Ready.lost += self.in_flight
        return await super().drain(seconds)

    async def answer(self, seconds: float) -> None:
        assert self.is_alive
        self.requests += 1
        self.in_flight += 1
        self.is_busy = True
        await asyncio.sleep(seconds)
        self.in_flight -= 1
        self.is_busy = self.in_flight > 0
        self._freed()


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_where_it_sleeps_all_the_time(seed: int) -> None:
    chance = Ready.chance = random.Random(seed)
    Ready.lost = 0

    async def visit(stage: Stage) -> None:
        worker: Any = await stage.supervisor.admission.enter()
        await worker.answer(chance.choice((0.0, 0.001, 0.3)))

    async def scenario() -> None:
        stage = Stage(on_demand=True, idle_stop=0.001, queue_size=1000)
        stage.supervisor.sleep()
        visits = []
        for _ in range(1000):
            visits += [asyncio.create_task(visit(stage)) for _ in range(chance.choice((0, 1, 1, 7)))]
            await asyncio.sleep(chance.choice((0.0, 0.001, 0.05, 0.5)))
            stage.supervisor.look(asyncio.get_running_loop().time())
        await asyncio.gather(*visits)
        await stage.supervisor.stop()

    # A patch of its own: it is to end before that of the fixture, which puts the real one back.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "Worker", Ready)
        run_in_virtual_time(scenario())
    assert Ready.lost == 0
    assert len(FakeWorker.made) > 20, "it never slept"
