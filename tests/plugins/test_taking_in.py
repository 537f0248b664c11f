"""Folders that are taken in: what goes wrong with one concerns that one alone."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from endpointd.folders.digest import signature
from endpointd.folders.settling import Settling
from endpointd.plugins import following as module
from endpointd.plugins.catalog import Entry
from endpointd.plugins.intake import Intake
from endpointd.plugins.plugins import Plugins
from endpointd.supervisor.state import State
from support.parts import Parts, play, willing_workers


@pytest.fixture(autouse=True)
def _workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with willing_workers(monkeypatch):
        yield


def test_a_folder_that_the_daemon_stumbles_over_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = Intake.take

    def stumble(self: Intake, name: str) -> Entry:
        if (self._directory / name / "says.py").read_text() == "odd":
            raise RecursionError("a bug")
        return take(self, name)

    monkeypatch.setattr(Intake, "take", stumble)

    async def scenario(parts: Parts) -> None:
        parts.write("one")
        parts.write("odd", folder="neko", name="neko")
        await parts.look("neko", "duck")
        refused, duck = parts.operations.statuses()[::-1]
        assert (duck.id, duck.state) == ("test/duck", State.RUNNING)
        assert [finding.rpartition("[")[2] for finding in refused.findings] == ["folder_defect]"]
        # What serves goes on.
        parts.write("odd")
        await parts.look()
        assert parts.runs() == "one"

    play(tmp_path, scenario)


def test_a_folder_that_cannot_even_be_looked_at_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(folder: Path) -> str:
        if folder.name == "neko":
            raise RecursionError("a bug")
        return signature(folder)

    monkeypatch.setattr(module, "signature", stumble)

    async def scenario(parts: Parts) -> None:
        parts.write("one")
        parts.write("odd", folder="neko", name="neko")
        await parts.look("neko", "duck")
        assert parts.runs() == "one"
        refused = parts.plugins.entries["neko"]
        assert [finding.code for finding in refused.findings] == ["folder_defect"]

    play(tmp_path, scenario)


def test_a_turn_that_goes_wrong_is_not_the_last_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adopt, changed = Plugins.adopt, Settling.changed
    turns = asyncio.Queue[str]()
    to_fail = {"heard", "adopted"}

    def tell(turn: str) -> None:
        turns.put_nowait(turn)
        if turn in to_fail:
            to_fail.remove(turn)
            raise RecursionError("a bug")

    def heard(self: Settling, folder: str, now: float) -> None:
        tell("heard")
        changed(self, folder, now)

    def adopted(self: Plugins, entries: Iterable[Entry]) -> None:
        tell("adopted")
        adopt(self, entries)

    monkeypatch.setattr(Settling, "changed", heard)
    monkeypatch.setattr(Plugins, "adopt", adopted)

    async def scenario(parts: Parts) -> None:
        parts.write("one")
        async with asyncio.TaskGroup() as group:
            following = group.create_task(parts.follower.run(poll=True))
            assert await turns.get() == "heard"
            parts.write("two")
            while await turns.get() != "adopted":
                pass
            parts.write("three")
            while "duck" not in parts.plugins.entries:
                await turns.get()
            following.cancel()
        await parts.plugins.settled()
        assert parts.runs() == "three"

    play(tmp_path, scenario)
