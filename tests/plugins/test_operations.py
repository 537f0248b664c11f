"""What operators do to plugins while others do something else to them: real files, fake workers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from endpointd.errors import OperatorError, PluginUnknown
from support.parts import DUCK, WHY, FakeWorker, Parts, WillingWorker, play, settle, willing_workers


@pytest.fixture(autouse=True)
def _workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with willing_workers(monkeypatch):
        yield


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


@pytest.mark.parametrize("mended", ["one", "three"])
def test_a_folder_that_is_broken_is_told_of_until_it_is_mended(tmp_path: Path, mended: str) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        fine = parts.told()
        parts.write("broken")
        await parts.look()
        with pytest.raises(OperatorError, match=f"could not be restarted: {WHY}"):
            await parts.operations.restart(DUCK)
        assert (fine, parts.told(), parts.runs()) == ((False, False), (True, True), "one")
        parts.write(mended)
        await parts.look()
        assert (parts.told(), parts.runs()) == ((False, False), mended)
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
        broken = parts.told()
        manifest.write_text(text)
        await parts.look()
        assert (broken, parts.told()) == ((True, False), (False, False))

    play(tmp_path, scenario)
