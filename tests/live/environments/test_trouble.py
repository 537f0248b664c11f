"""Builds that end before they are done, and a disk that is full."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter
from live.conftest import Served
from live.environments.conftest import Pond, becomes, is_a_version, is_alive, kept, status
from support.eventually import eventually
from support.load import Load


def test_a_plugin_that_is_removed_ends_its_build_with_all_that_it_started(pond: Pond, tmp_path: Path) -> None:
    pond.slow_duck("1.0", tmp_path / "gate")
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    eventually((tmp_path / "pid").exists)
    pond.shop.remove("duck")
    served.daemon.wait_for_log("environment.cancelled", 10)
    eventually(lambda: not is_alive(int((tmp_path / "pid").read_text())))
    eventually(lambda: kept(served) == [])


def test_a_daemon_that_ends_ends_its_builds(pond: Pond, tmp_path: Path) -> None:
    pond.slow_duck("1.0", tmp_path / "gate")
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    eventually((tmp_path / "pid").exists)
    assert served.daemon.stop() == 0
    assert not is_alive(int((tmp_path / "pid").read_text()))
    assert kept(served) == []


def test_a_daemon_that_is_killed_takes_its_builds_along_and_the_next_one_begins_anew(
    pond: Pond, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    pond.slow_duck("1.0", gate)
    pond.put("duck", "duck==1.0")
    served = pond.serve()
    eventually((tmp_path / "pid").exists)
    served.daemon.kill()
    eventually(lambda: not is_alive(int((tmp_path / "pid").read_text())))
    left = kept(served)
    assert left
    gate.touch()
    again = pond.serve()
    becomes(again, "RUNNING")
    assert not set(left) & set(kept(again))
    assert again.says("duck") == "version 1.0"


# A full disk


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, mounted, with room for some environments."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=32m", "test", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a full disk needs a small one, and only root, with leave to mount, can have that")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_full_is_told_and_the_old_version_goes_on(
    pond: Pond, disk: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pond.duck("1.0")
    pond.duck("2.0")
    pond.put("duck", "duck==1.0")
    starter = DaemonStarter(tmp_path_factory.mktemp)
    state = disk / "state"
    served = Served(starter(pond.shop.plugins, state=state, uv_find_links=pond.packages), state)
    becomes(served, "RUNNING")
    whole = kept(served)
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        free = os.statvfs(disk)
        file.write(b"x" * (free.f_bavail * free.f_bsize - 1024 * 1024))
    with Load(served.url, "/e/duck/", is_a_version, 2) as load:
        pond.ask_for("duck", "duck==2.0")
        served.daemon.wait_for_log("environment_disk_full", 30)
        eventually(lambda: status(served)["failure"] is not None)
        eventually(lambda: kept(served) == whole)
    assert load.wrong == {}
    assert "endpointd env prune" in str(status(served)["failure"])
    ballast.unlink()
    pond.ask_for("duck", "duck==2.0  # again")
    served.comes_to_say("duck", "version 2.0", 30)
    starter.stop_all()
