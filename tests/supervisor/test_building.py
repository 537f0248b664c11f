"""A worker whose environment has to be built first, in virtual time: who answers meanwhile, and what becomes of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from endpointd.supervisor.admission import NoPlace
from endpointd.supervisor.state import Stage as Life
from endpointd.supervisor.state import State
from endpointd.supervisor.worker import StartFailed, WorkerOrder
from support.fake_worker import FakeWorker, Stage, fake_workers, settle
from support.virtual_time import run_in_virtual_time

PYTHON = Path("/env/bin/python")


class Builder:
    """Has the environments that are in `there`; builds others when the test says so."""

    def __init__(self, *there: str) -> None:
        self.there = {*there}
        self.building: dict[str, asyncio.Future[None]] = {}
        self.cancelled: list[str] = []

    async def find(self, order: WorkerOrder) -> Path | None:
        return PYTHON if order.release in self.there else None

    async def build(self, order: WorkerOrder, tell: Callable[[str], None]) -> Path:
        release = str(order.release)
        tell(f"building {release}")
        self.building[release] = asyncio.get_running_loop().create_future()
        try:
            await self.building[release]
        except asyncio.CancelledError:
            self.cancelled.append(release)
            raise
        self.there.add(release)
        return PYTHON

    def finish(self, release: str) -> None:
        self.building[release].set_result(None)

    def fail(self, release: str, *, lasting: bool = True) -> None:
        self.building[release].set_exception(StartFailed("environment_failed", "no such package", lasting=lasting))


def state(stage: Stage) -> State:
    """As it is now, whatever it was before."""
    return stage.supervisor.life.state


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_workers(monkeypatch):
        yield


def play(scenario: Callable[[Stage, Builder], Awaitable[None]], *there: str) -> None:
    async def main() -> None:
        builder = Builder(*there)
        stage = Stage(provider=builder)
        await scenario(stage, builder)
        await stage.supervisor.stop()
        assert not [worker for worker in FakeWorker.made if worker.is_alive]

    run_in_virtual_time(main())


def test_a_first_version_is_building_until_its_environment_is_there() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        stage.supervisor.start()
        await settle()
        assert state(stage) is State.BUILDING
        assert stage.supervisor.crew.building == "building v1"
        assert not FakeWorker.made[-1].is_alive
        # However long it takes: its clock is the builder's business, and no start's.
        await asyncio.sleep(10_000)
        builder.finish("v1")
        await settle()
        assert (state(stage), str(stage.supervisor.crew.building)) == (State.STARTING, "None")
        FakeWorker.made[-1].ready()
        await settle()
        assert state(stage) is State.RUNNING

    play(scenario)


def test_meanwhile_requests_are_refused_and_told_why() -> None:
    async def scenario(stage: Stage, _: Builder) -> None:
        stage.supervisor.start()
        await settle()
        with pytest.raises(NoPlace) as caught:
            await stage.supervisor.admission.enter()
        assert (caught.value.code, caught.value.retry_after) == ("plugin_building", 5)

    play(scenario)


def test_where_the_environment_is_there_nothing_is_building() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        await stage.begin()
        assert builder.building == {}
        entries = [entry.text for entry in stage.supervisor.journal.tail(100)]
        assert not [text for text in entries if "building" in text]

    play(scenario, "v1")


def test_a_build_takes_no_place_of_workers_that_start() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        others = [Stage(provider=builder) for _ in range(10)]
        for other in others:
            other.supervisor.start()
        await settle()
        stage.change("v0")
        stage.supervisor.start()
        worker = await stage.newest()
        assert worker.is_alive
        for other in others:
            await other.supervisor.stop()

    play(scenario, "v0")


def test_the_old_version_answers_while_the_environment_of_the_new_one_is_built() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        old = await stage.begin()
        stage.change("v2")
        await settle()
        assert (stage.supervisor.life.stage, state(stage)) == (Life.PREPARING, State.RUNNING)
        assert stage.supervisor.crew.building == "building v2"
        await asyncio.sleep(10_000)
        assert stage.takes() is old
        builder.finish("v2")
        new = await stage.newest()
        assert stage.supervisor.life.stage is Life.REPLACING
        new.ready()
        await settle()
        assert stage.takes() is new

    play(scenario, "v1")


def test_a_build_that_fails_keeps_the_old_version_and_is_told() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        old = await stage.begin()
        stage.change("v2")
        await settle()
        builder.fail("v2")
        await settle()
        failure = stage.supervisor.failure
        assert failure is not None
        assert (failure.code, failure.lines, failure.kept) == ("environment_failed", ("building v2",), True)
        assert (stage.supervisor.life.stage, stage.supervisor.crew.building) == (Life.RUNNING, None)
        assert stage.takes() is old
        assert stage.supervisor.order.release == "v1"

    play(scenario, "v1")


def test_a_first_version_that_cannot_be_built_is_fatal() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        stage.supervisor.start()
        await settle()
        builder.fail("v1")
        await settle()
        assert state(stage) is State.FATAL
        # Left by a change, as always.
        stage.change("v2")
        worker = await stage.newest()
        worker.ready()
        await settle()
        assert state(stage) is State.RUNNING

    play(scenario, "v2")


def test_what_may_pass_is_tried_again_later() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        stage.supervisor.start()
        await settle()
        # The second time at once, as after a death.
        for _ in range(2):
            builder.fail("v1", lasting=False)
            await settle()
        assert state(stage) is State.BACKOFF
        await asyncio.sleep(5)
        assert state(stage) is State.BUILDING
        builder.finish("v1")
        await settle()
        assert state(stage) is State.STARTING

    play(scenario)


@pytest.mark.parametrize("has_old", [False, True])
def test_a_plugin_that_is_stopped_or_changed_gives_its_build_up(has_old: bool) -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        if has_old:
            await stage.begin()
            stage.change("v2")
        else:
            stage.change("v2")
            stage.supervisor.start()
        await settle()
        stage.change("v3")
        await settle()
        assert builder.cancelled == ["v2"]
        await stage.supervisor.stop()
        assert builder.cancelled == ["v2", "v3"]
        assert (state(stage), stage.supervisor.crew.building) == (State.STOPPED, None)

    play(scenario, *(["v1"] if has_old else []))


def test_where_the_old_worker_dies_meanwhile_the_plugin_is_building() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        old = await stage.begin()
        stage.change("v2")
        await settle()
        old.die()
        await settle()
        assert state(stage) is State.BUILDING
        builder.finish("v2")
        worker = await stage.newest()
        worker.ready()
        await settle()
        assert (state(stage), stage.takes()) == (State.RUNNING, worker)

    play(scenario, "v1")


def test_where_its_build_fails_then_the_old_version_comes_back() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        old = await stage.begin()
        stage.change("v2")
        await settle()
        old.die()
        await settle()
        builder.fail("v2")
        await asyncio.sleep(5)
        worker = await stage.newest()
        assert worker.order.release == "v1"
        worker.ready()
        await settle()
        assert state(stage) is State.RUNNING

    play(scenario, "v1")


def test_who_waits_for_the_outcome_waits_for_the_build_unless_told_otherwise() -> None:
    async def scenario(stage: Stage, builder: Builder) -> None:
        stage.supervisor.start()
        await stage.supervisor.settled(built=False)
        assert state(stage) is State.BUILDING
        waiting = asyncio.create_task(stage.supervisor.settled())
        await asyncio.sleep(1000)
        assert not waiting.done()
        builder.fail("v1")
        await waiting

    play(scenario)
