"""Folders that are taken in: what goes wrong with one concerns that one alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd.catalog import Entry
from endpointd.intake import Intake
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
