"""How long what has failed counts, and whose version answers meanwhile: in virtual time, without processes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from support.fake_worker import FakeWorker, Stage, fake_workers, settle
from support.virtual_time import run_in_virtual_time

STABLE = 10.0
"""The stage's `restart_stable`."""


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with fake_workers(monkeypatch):
        yield


def play(scenario: Callable[[Stage], Awaitable[None]], workers: int = 1) -> None:
    async def main() -> None:
        stage = Stage(workers=workers)
        await scenario(stage)
        await stage.supervisor.stop()

    run_in_virtual_time(main())


def is_over(stage: Stage) -> bool:
    """The last failure, at a look that is taken every second."""
    stage.supervisor.look(asyncio.get_running_loop().time())
    failure = stage.supervisor.failure
    assert failure is not None
    return failure.over_at is not None


async def fail_at(stage: Stage, release: str) -> None:
    stage.change(release)
    (await stage.newest()).refuse("load_failed", "syntax_error")
    await stage.supervisor.settled()


async def take_over(stage: Stage, release: str) -> None:
    stage.change(release)
    (await stage.newest()).ready()
    await stage.supervisor.settled()


def test_a_version_that_does_not_load_is_a_trouble_until_it_is_mended() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()
        await fail_at(stage, "v2")
        await asyncio.sleep(600)
        assert (is_over(stage), stage.supervisor.is_behind) == (False, True)
        await take_over(stage, "v1")
        assert (is_over(stage), stage.supervisor.is_behind) == (True, False)

    play(scenario)


def test_it_is_not_over_before_the_mended_one_has_stood_its_trial() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()
        await fail_at(stage, "v2")
        stage.change("v3")
        await settle()
        starting = is_over(stage)
        (await stage.newest()).ready()
        await settle()
        assert (starting, is_over(stage)) == (False, False)
        await stage.supervisor.settled()
        assert is_over(stage)

    play(scenario)


def test_another_worker_of_the_older_version_makes_nothing_good() -> None:
    async def scenario(stage: Stage) -> None:
        old = await stage.begin()
        await fail_at(stage, "v2")
        old.die()
        (await stage.newest()).ready()
        await asyncio.sleep(2 * STABLE)
        failure = stage.supervisor.failure
        assert failure is not None
        assert (is_over(stage), failure.code, stage.supervisor.is_behind) == (False, "worker_died", True)

    play(scenario)


def test_what_is_not_asked_for_any_more_is_over_without_another_worker() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()
        before = stage.supervisor.order
        await fail_at(stage, "v2")
        stage.supervisor.want(before)
        assert (is_over(stage), stage.supervisor.is_behind) == (True, False)
        assert len(FakeWorker.made) == 2

    play(scenario)


def test_a_death_is_over_when_the_next_worker_has_stayed() -> None:
    async def scenario(stage: Stage) -> None:
        (await stage.begin()).die()
        (await stage.newest()).ready()
        await asyncio.sleep(STABLE - 1)
        early = is_over(stage)
        await asyncio.sleep(2)
        assert (early, is_over(stage), stage.supervisor.is_behind) == (False, True, False)

    play(scenario)


def test_as_long_as_a_worker_is_missing_nothing_is_over() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()
        (await stage.newest()).die()
        await asyncio.sleep(2 * STABLE)
        assert not is_over(stage)
        (await stage.newest()).ready()
        await asyncio.sleep(STABLE + 1)
        assert is_over(stage)

    play(scenario, workers=2)


def test_what_was_over_stays_so_while_other_versions_come() -> None:
    async def scenario(stage: Stage) -> None:
        await stage.begin()
        await fail_at(stage, "v2")
        await take_over(stage, "v3")
        stage.change("v4")
        await settle()
        assert is_over(stage)

    play(scenario)
