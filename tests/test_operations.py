"""What operators do to plugins while others do something else to them: real files, fake workers."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from endpointd.catalog import Entry
from endpointd.errors import OperatorError, PluginUnknown, UsageError
from endpointd.intake import Intake
from endpointd.supervisor.state import State
from support.parts import FakeWorker, Parts, WillingWorker, play, settle, willing_workers

DUCK = "test/duck"


@pytest.fixture(autouse=True)
def _workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with willing_workers(monkeypatch):
        yield


async def until_gone(parts: Parts) -> None:
    while DUCK in parts.plugins.served:
        await settle()


def state(parts: Parts) -> State:
    return parts.plugins.find(DUCK).supervisor.life.state


@pytest.mark.parametrize("operation", ["start", "restart"])
def test_a_plugin_that_is_removed_while_an_operator_waits_is_not_started_again(tmp_path: Path, operation: str) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        WillingWorker.may_end.clear()
        stopping = asyncio.create_task(parts.operations.stop(DUCK))
        await settle()
        waiting = asyncio.create_task(getattr(parts.operations, operation)(DUCK))
        await settle()
        (parts.directory / "duck").rename(tmp_path / "away")
        await parts.follower.refresh(["duck"])
        WillingWorker.may_end.set()
        with pytest.raises(PluginUnknown):
            await waiting
        with pytest.raises(PluginUnknown):
            await stopping
        assert len(FakeWorker.made) == 1

    play(tmp_path, scenario)


def test_what_is_installed_while_the_plugin_is_being_stopped_is_started_when_that_is_done(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        WillingWorker.may_end.clear()
        stopping = asyncio.create_task(parts.operations.stop(DUCK))
        await settle()
        installing = asyncio.create_task(parts.operations.install(parts.archive("two"), replace=True))
        await asyncio.wait({installing}, timeout=0.5)
        WillingWorker.may_end.set()
        await installing
        await stopping
        assert parts.runs() == "two"

    play(tmp_path, scenario)


WHY = r"it cannot \[load_failed\]: says\.py:9: invalid syntax \[syntax_error\]; the "


async def refused(parts: Parts, text: str) -> None:
    with pytest.raises(OperatorError, match=f"could not be installed: {WHY}"):
        await parts.operations.install(parts.archive(text), replace=True)
    assert [one.name for one in parts.directory.iterdir()] == (["duck"] if parts.plugins.served else [])


def test_a_plugin_that_does_not_run_is_not_installed(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        await refused(parts, "broken")
        assert (dict(parts.plugins.served), dict(parts.plugins.entries)) == ({}, {})
        assert not list((tmp_path / "state" / "releases").iterdir())
        await parts.operations.install(parts.archive("two"), replace=False)
        assert parts.runs() == "two"

    play(tmp_path, scenario)


def test_a_version_that_does_not_run_leaves_the_one_before_and_its_worker(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        worker = parts.plugins.find(DUCK).supervisor.crew.worker
        await refused(parts, "broken")
        assert (parts.directory / "duck" / "says.py").read_text() == "one"
        assert (state(parts), parts.plugins.find(DUCK).supervisor.crew.worker) == (State.RUNNING, worker)
        await parts.operations.restart(DUCK)
        assert parts.runs() == "one"

    play(tmp_path, scenario)


def test_a_plugin_that_was_stopped_is_stopped_again_when_its_new_version_does_not_run(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        await parts.operations.stop(DUCK)
        await refused(parts, "broken")
        assert state(parts) is State.STOPPED
        await parts.operations.start(DUCK)
        assert parts.runs() == "one"

    play(tmp_path, scenario)


def test_a_release_that_was_gone_back_to_holds_when_a_new_version_does_not_run(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        for text in ("one", "two"):
            parts.write(text)
            await parts.look()
        await parts.operations.rollback(DUCK, None)
        pin = parts.pins.get(DUCK)
        await refused(parts, "broken")
        assert (parts.runs(), parts.pins.get(DUCK)) == ("one", pin)
        await parts.operations.restart(DUCK)
        assert parts.runs() == "one"

    play(tmp_path, scenario)


def test_two_installations_of_one_plugin_come_one_after_the_other(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        install = parts.operations.install
        outcomes = await asyncio.gather(
            install(parts.archive("broken"), replace=True),
            install(parts.archive("two"), replace=True),
            return_exceptions=True,
        )
        assert [isinstance(one, OperatorError) for one in outcomes] == [True, False]
        assert (parts.runs(), (parts.directory / "duck" / "says.py").read_text()) == ("two", "two")
        assert [one.name for one in parts.directory.iterdir()] == ["duck"]

    play(tmp_path, scenario)


def test_what_comes_back_while_it_is_uninstalled_keeps_its_release(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        WillingWorker.may_end.clear()
        uninstalling = asyncio.create_task(parts.operations.uninstall(DUCK))
        await until_gone(parts)
        parts.write("one")
        await parts.follower.refresh(["duck"])
        WillingWorker.may_end.set()
        await uninstalling
        assert parts.runs() == "one"

    play(tmp_path, scenario)


def test_a_plugin_that_another_folder_holds_too_is_served_from_there_when_it_is_uninstalled(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        parts.write("two", folder="zwei")
        await parts.look("duck", "zwei")
        await parts.operations.uninstall(DUCK)
        await parts.plugins.settled()
        assert (state(parts), parts.runs()) == (State.RUNNING, "two")

    play(tmp_path, scenario)


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
        assert state(parts) is not State.RUNNING
        assert parts.operations.status(DUCK).previous_releases == (one,)
        await parts.operations.rollback(DUCK, None)
        await parts.operations.start(DUCK)
        assert parts.runs() == "one"

    play(tmp_path, scenario)


def test_a_folder_that_cannot_be_removed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, os.strerror(13))

    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        monkeypatch.setattr(Path, "rename", refuse)
        with pytest.raises(OperatorError, match="Permission denied"):
            await parts.operations.uninstall(DUCK)
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


def test_of_two_who_uninstall_a_plugin_one_does(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        uninstall = parts.operations.uninstall
        first, second = await asyncio.gather(uninstall(DUCK), uninstall(DUCK), return_exceptions=True)
        assert first is None
        assert isinstance(second, PluginUnknown)

    play(tmp_path, scenario)


@pytest.mark.parametrize(("spent", "left"), [(0.0, 30.0), (10.0, 20.0), (29.5, 1.0), (60.0, 1.0)])
def test_workers_that_end_with_the_daemon_have_what_is_left_of_the_drain_clock(
    spent: float, left: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A request that hangs would else have the whole clock twice: at its client, and then at its worker."""
    given = []

    async def drain(self: WillingWorker, seconds: float) -> str:
        given.append(seconds)
        return await FakeWorker.drain(self, seconds)

    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        await parts.plugins.stop(spent)

    monkeypatch.setattr(WillingWorker, "drain", drain)
    play(tmp_path, scenario)
    assert given == [left]


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


def test_a_fault_of_ours_with_one_plugin_reaches_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(parts: Parts) -> None:
        choose = parts.rollbacks.choose
        monkeypatch.setattr(parts.plugins, "_choose", lambda entry: choose(entry) if entry.folder == "swan" else 1 / 0)
        parts.write("one")
        parts.write("two", "swan", "swan")
        with capture_logs() as logs:
            await parts.look("duck", "swan")
        assert parts.runs("test/swan") == "two"
        assert [log["folder"] for log in logs if log["event"] == "plugins.defect"] == ["duck"]

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


def told(parts: Parts) -> tuple[bool, bool]:
    """Whether an older version answers than the folder's, and whether a failure is told of that is not over."""
    status = parts.operations.status(DUCK)
    return status.behind, status.trouble is not None


@pytest.mark.parametrize("mended", ["one", "three"])
def test_a_folder_that_is_broken_is_told_of_until_it_is_mended(tmp_path: Path, mended: str) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        fine = told(parts)
        parts.write("broken")
        await parts.look()
        with pytest.raises(OperatorError, match=f"could not be restarted: {WHY}"):
            await parts.operations.restart(DUCK)
        assert (fine, told(parts), parts.runs()) == ((False, False), (True, True), "one")
        parts.write(mended)
        await parts.look()
        assert (told(parts), parts.runs()) == ((False, False), mended)
        failure = parts.operations.status(DUCK).failure
        assert failure is not None, "what it was can still be read"

    play(tmp_path, scenario)


def test_a_manifest_that_is_broken_leaves_an_older_version_and_says_so(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        manifest = parts.directory / "duck" / "manifest.yaml"
        text = manifest.read_text()
        manifest.write_text("nonsense")
        await parts.look()
        broken = told(parts)
        manifest.write_text(text)
        await parts.look()
        assert (broken, told(parts)) == ((True, False), (False, False))

    play(tmp_path, scenario)


def test_what_was_not_installed_leaves_no_trouble_behind(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        await refused(parts, "broken")
        assert told(parts) == (False, False)
        parts.write("broken")
        await parts.look()
        await refused(parts, "broken too")
        assert told(parts) == (True, True)

    play(tmp_path, scenario)


def test_a_release_that_could_not_be_gone_back_to_leaves_no_trouble_behind(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        for text in ("one", "two"):
            parts.write(text)
            await parts.look()
        [older] = parts.releases.proved(DUCK)[1:]
        (older.path / "says.py").chmod(0o644)
        (older.path / "says.py").write_text("broken")
        with pytest.raises(OperatorError, match="could not be rolled back"):
            await parts.operations.rollback(DUCK, None)
        assert (told(parts), parts.runs()) == ((False, False), "two")

    play(tmp_path, scenario)
