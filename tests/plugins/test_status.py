"""What is told of a plugin with several workers."""

from dataclasses import replace

import pytest

from endpointd.cli.listing import state_text
from endpointd.plugins.status import PluginStatus
from support.fake_control import NEKO, WORKER

SECOND = replace(WORKER, pid=4712, memory=None, cpu=None)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (NEKO, "RUNNING"),
        (replace(NEKO, workers_wanted=2), "RUNNING (1 of 2)"),
        (replace(NEKO, workers_wanted=2, replacing="soon"), "RUNNING (1 of 2, replacing)"),
        (replace(NEKO, workers=(WORKER, SECOND), workers_wanted=2), "RUNNING"),
        (replace(NEKO, behind=True), "RUNNING (an older version)"),
        (replace(NEKO, state="STOPPED", workers=(), workers_wanted=2), "STOPPED"),
    ],
)
def test_the_state_tells_how_many_are_missing(status: PluginStatus, text: str) -> None:
    assert state_text(status).plain == text


def test_figures_are_those_of_all_workers() -> None:
    both = replace(NEKO, workers=(WORKER, WORKER))
    assert (both.memory, both.cpu) == (2 * (WORKER.memory or 0), 2 * (WORKER.cpu or 0))
    assert (replace(NEKO, workers=(SECOND,)).memory, replace(NEKO, workers=()).cpu) == (None, None)
