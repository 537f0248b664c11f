"""The daemon as a whole, in this process."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from endpointd.app import run
from endpointd.plugins.reports import PluginReport
from endpointd.settings.settings import Settings
from support.catalogue import write_catalogue
from support.processes import children


def test_its_end_is_in_order_even_when_a_part_of_it_fails(tmp_path: Path) -> None:
    started: list[int] = []

    def fail(_url: str, _reports: Sequence[PluginReport]) -> None:
        started.extend(children(os.getpid()))
        raise RuntimeError("a defect")

    before = set(children(os.getpid()))
    plugins = write_catalogue(tmp_path / "plugins")
    with pytest.raises(RuntimeError, match="a defect"):
        run(Settings(plugins=plugins, state=tmp_path / "state", listen=("127.0.0.1:0",)), fail)
    assert set(started) - before
    assert set(children(os.getpid())) <= before


def test_a_daemon_that_nobody_could_control_ends_and_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a defect of the administration")

    monkeypatch.setattr("endpointd.admin.server._build", fail)
    before = set(children(os.getpid()))
    plugins, began = write_catalogue(tmp_path / "plugins"), time.monotonic()
    with pytest.raises(RuntimeError, match="of the administration"):
        run(Settings(plugins=plugins, state=tmp_path / "state", listen=("127.0.0.1:0",)))
    # By itself: whoever ends it otherwise would be told the same.
    assert time.monotonic() - began < 20
    assert set(children(os.getpid())) <= before
