"""A directory with two plugins, and both ways to learn of changes."""

from pathlib import Path

import pytest

import endpointd.folders.watch
from support.watched import write


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    write(tmp_path / "plugins" / "duck")
    write(tmp_path / "plugins" / "neko")
    return tmp_path / "plugins"


@pytest.fixture(params=[False, True], ids=["events", "asking"])
def poll(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    monkeypatch.setattr(endpointd.folders.watch, "LOOK_SECONDS", 0.1)
    return bool(request.param)
