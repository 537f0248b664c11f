"""What becomes of a plugin that is put into its place or taken out of it, also when it does not run: real files, fake
workers."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd.errors import OperatorError, PluginUnknown
from endpointd.supervisor.state import State
from support.parts import DUCK, WHY, Parts, WillingWorker, play, settle, willing_workers


@pytest.fixture(autouse=True)
def _workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with willing_workers(monkeypatch):
        yield


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
        assert (parts.state(), parts.plugins.find(DUCK).supervisor.crew.worker) == (State.RUNNING, worker)
        await parts.operations.restart(DUCK)
        assert parts.runs() == "one"

    play(tmp_path, scenario)


def test_a_plugin_that_was_stopped_is_stopped_again_when_its_new_version_does_not_run(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        await parts.operations.stop(DUCK)
        await refused(parts, "broken")
        assert parts.state() is State.STOPPED
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


def test_what_was_not_installed_leaves_no_trouble_behind(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        await refused(parts, "broken")
        assert parts.told() == (False, False)
        parts.write("broken")
        await parts.look()
        await refused(parts, "broken too")
        assert parts.told() == (True, True)

    play(tmp_path, scenario)


async def until_gone(parts: Parts) -> None:
    while DUCK in parts.plugins.served:
        await settle()


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
        assert (parts.state(), parts.runs()) == (State.RUNNING, "two")

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


def test_of_two_who_uninstall_a_plugin_one_does(tmp_path: Path) -> None:
    async def scenario(parts: Parts) -> None:
        parts.write("one")
        await parts.look()
        uninstall = parts.operations.uninstall
        first, second = await asyncio.gather(uninstall(DUCK), uninstall(DUCK), return_exceptions=True)
        assert first is None
        assert isinstance(second, PluginUnknown)

    play(tmp_path, scenario)
