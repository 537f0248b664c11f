"""What can be gone back to, and what becomes of it: real files, fake workers."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd.errors import OperatorError, UsageError
from endpointd.plugins.catalog import Entry
from endpointd.plugins.intake import Intake
from endpointd.supervisor.state import State
from support.parts import DUCK, FakeWorker, Parts, WillingWorker, play, settle, willing_workers


@pytest.fixture(autouse=True)
def _workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with willing_workers(monkeypatch):
        yield


def test_a_plugin_that_is_stopped_is_rolled_back_and_stays_stopped(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        parts.write("two")
        await parts.look()
        await parts.operations.stop(DUCK)
        status = await parts.operations.rollback(DUCK, None)
        assert (status.state, status.pinned) == (State.STOPPED, True)
        await parts.operations.start(DUCK)
        assert parts.runs() == "one"

    play(tmp_path, scenario)


def test_a_rollback_to_what_does_not_run_leaves_what_was_wanted_before(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("broken")
        await parts.look()
        broken = parts.plugins.find(DUCK).wanted.digest
        assert broken is not None
        # It ran once, when what it needs was there.
        await parts.rollbacks.in_service(DUCK, [broken])
        parts.write("two")
        await parts.look()
        with pytest.raises(OperatorError, match="goes on answering"):
            await parts.operations.rollback(DUCK, broken)
        assert (parts.runs(), parts.pins.get(DUCK)) == ("two", None)
        made = len(FakeWorker.made)
        await parts.operations.restart(DUCK)
        assert (parts.runs(), len(FakeWorker.made)) == ("two", made + 1)

    play(tmp_path, scenario)


def test_what_never_ran_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        one = parts.plugins.find(DUCK).wanted.digest
        parts.write("broken")
        await parts.look()
        broken = parts.plugins.find(DUCK).wanted.digest
        parts.write("two")
        await parts.look()
        assert parts.operations.status(DUCK).previous_releases == (one,)
        with pytest.raises(UsageError, match="no release"):
            await parts.operations.rollback(DUCK, broken)

    play(tmp_path, scenario)


@pytest.mark.parametrize("is_stopped", [False, True])
def test_what_is_wanted_while_none_answers_is_nothing_to_go_back_to(tmp_path: Path, is_stopped: bool) -> None:
    async def scenario(parts: Parts) -> None:
        parts.settings = parts.settings.model_copy(update={"releases_kept": 1})
        parts.write("one")
        await parts.look()
        one = parts.plugins.find(DUCK).wanted.digest
        if is_stopped:
            await parts.operations.stop(DUCK)
        else:
            # As after a start of the daemon: what is served has nothing to go back to.
            await parts.plugins.stop()
            parts.begin()
        for number in range(3):
            parts.write(f"broken {number}")
            await parts.look()
        assert parts.state() is not State.RUNNING
        assert parts.operations.status(DUCK).previous_releases == (one,)
        await parts.operations.rollback(DUCK, None)
        await parts.operations.start(DUCK)
        assert parts.runs() == "one"

    play(tmp_path, scenario)


def test_a_rollback_that_fails_takes_nothing_back_that_came_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = WillingWorker.start
    may_fail = asyncio.Event()

    async def start_when_told(self: WillingWorker, python: Path) -> None:
        if (self.order.folder / "says.py").read_text().startswith("broken"):
            await may_fail.wait()
        await start(self, python)

    async def scenario(parts: Parts) -> None:
        may_fail.set()
        parts.write("broken")
        await parts.look()
        broken = parts.plugins.find(DUCK).wanted.digest
        assert broken is not None
        await parts.rollbacks.in_service(DUCK, [broken])
        parts.write("two")
        await parts.look()
        may_fail.clear()
        rollback = asyncio.create_task(parts.operations.rollback(DUCK, broken))
        await settle()
        parts.write("broken as well")
        await parts.follower.refresh(["duck"])
        may_fail.set()
        with pytest.raises(OperatorError, match="goes on answering"):
            await rollback
        served = parts.plugins.find(DUCK)
        assert (served.wanted.digest, parts.runs()) == (served.entry.digest, "two")

    monkeypatch.setattr(WillingWorker, "start", start_when_told)
    play(tmp_path, scenario)


def test_the_version_that_may_come_back_keeps_its_release(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.settings = parts.settings.model_copy(update={"releases_kept": 0})
        parts.write("one")
        await parts.look()
        parts.write("two")
        await parts.look()
        async with parts.plugins.taking:
            digests = {release.digest for release in parts.releases.previous(DUCK)}
        assert digests >= {version.digest for version in parts.plugins.find(DUCK).versions}
        assert len(digests) == 2

    play(tmp_path, scenario)


def test_a_release_that_could_not_be_gone_back_to_leaves_no_trouble_behind(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        for text in ("one", "two"):
            parts.write(text)
            await parts.look()
            await parts.recorded()
        [older] = parts.releases.proved(DUCK)[1:]
        (older.path / "says.py").chmod(0o644)
        (older.path / "says.py").write_text("broken")
        with pytest.raises(OperatorError, match="could not be rolled back"):
            await parts.operations.rollback(DUCK, None)
        assert (parts.told(), parts.runs()) == ((False, False), "two")

    play(tmp_path, scenario)


def test_releases_are_read_in_threads_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads in the event loop's thread has all requests wait for the disk."""
    retake = Intake.retake
    readers: list[threading.Thread] = []

    def noted(self: Intake, name: str, plugin_id: str, root: Path, digest: str) -> Entry:
        readers.append(threading.current_thread())
        return retake(self, name, plugin_id, root, digest)

    async def scenario(parts: Parts) -> None:
        for text in ("one", "two"):
            parts.write(text)
            await parts.look()
        await parts.operations.rollback(DUCK, None)
        await parts.operations.reload_configuration()
        await parts.look()
        assert (parts.runs(), bool(readers)) == ("one", True)
        assert threading.main_thread() not in readers

    monkeypatch.setattr(Intake, "retake", noted)
    play(tmp_path, scenario)
