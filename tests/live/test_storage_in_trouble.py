"""The disk of the state directory is full, or the plugins directory is away: what runs goes on, under load, and what
could not be taken in is told and taken in later."""

import io
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from endpointd.admin.client import Client as Admin
from endpointd.errors import OperatorError
from endpointd.installing.staging import pack
from endpointd.testing import DaemonStarter
from live.conftest import Served, Shop
from support.eventually import eventually
from support.load import Load
from support.raw_http import Answer

Serve = Callable[..., Served]

DISK = 2 * 1024 * 1024
BULK = b"x" * 256 * 1024
"""A file of a plugin; what is left on a full disk is less."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own, mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "test", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("a full disk needs a small one, and only root, with leave to mount, can have that")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Nothing more can be written to the disk within the block."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        size = 64 * 1024
        while size:
            try:
                file.write(b"x" * size)
            except OSError:
                size //= 2
    yield
    ballast.unlink()


@pytest.fixture
def served(shop: Shop, disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serves a duck and a goose with its state on the small disk."""
    shop.put("duck", "version 1")
    shop.put("goose", "version 1")
    starter = DaemonStarter(tmp_path_factory.mktemp)
    yield Served(starter(shop.plugins, state=disk / "state"), disk / "state")
    starter.stop_all()


def is_a_version(answer: Answer) -> bool:
    return answer.status == 200 and answer.body.startswith(b"version ")


def grave(served: Served) -> list[str]:
    """What the log says of the daemon itself failing."""
    return [str(event) for event in served.daemon.events() if event["level"] == "critical"]


def install(served: Served, folder: Path) -> None:
    archive = io.BytesIO()
    pack(folder, archive)
    size = archive.tell()
    archive.seek(0)
    with Admin(served.state) as admin:
        admin.install(archive, size, replace=True)


def test_an_edit_that_does_not_fit_keeps_the_old_version_and_tells_why(served: Served, shop: Shop, disk: Path) -> None:
    with Load(served.url, "/e/duck/", is_a_version, 2) as duck, Load(served.url, "/e/goose/", is_a_version, 2) as goose:
        with full(disk):
            (shop.plugins / "duck" / "bulk").write_bytes(BULK)
            shop.edit("duck", "version 2")
            assert "release_disk_full" in served.daemon.wait_for_log("folder.refused")
            assert (served.says("duck"), served.says("goose")) == ("version 1", "version 1")
        shop.edit("duck", "version 3")
        served.comes_to_say("duck", "version 3")
    assert (duck.wrong, goose.wrong, grave(served)) == ({}, {}, [])
    left = [path.name for path in (disk / "state" / "releases").iterdir()]
    assert sorted(left) == ["test+duck", "test+goose"]


def test_what_did_not_fit_is_taken_in_when_there_is_room(served: Served, shop: Shop, disk: Path) -> None:
    with full(disk):
        (shop.plugins / "duck" / "bulk").write_bytes(BULK)
        shop.edit("duck", "version 2")
        served.daemon.wait_for_log("folder.refused")
    served.comes_to_say("duck", "version 2", 30)


def test_an_installation_that_does_not_fit_is_an_error_and_keeps_the_old_version(
    served: Served, shop: Shop, disk: Path
) -> None:
    new = shop.make("duck", "version 2")
    (new / "bulk").write_bytes(BULK)
    with Load(served.url, "/e/duck/", is_a_version, 2) as load:
        with full(disk):
            with pytest.raises(OperatorError) as caught:
                install(served, new)
            assert caught.value.code != "daemon_defect", caught.value
            assert served.says("duck") == "version 1"
        install(served, new)
        assert served.says("duck") == "version 2"
    assert (load.wrong, grave(served)) == ({}, [])


def test_an_operator_who_changes_a_pin_on_a_full_disk_is_told(served: Served, shop: Shop, disk: Path) -> None:
    shop.edit("duck", "version 2")
    served.comes_to_say("duck", "version 2")
    with Admin(served.state) as admin, full(disk):
        with pytest.raises(OperatorError) as caught:
            admin.act("rollback", "test/duck", {"release": None})
        assert caught.value.code != "daemon_defect", caught.value
    assert (served.says("duck"), grave(served)) == ("version 2", [])


def test_a_pin_that_is_over_and_cannot_be_removed_ends_nobody(served: Served, shop: Shop, disk: Path) -> None:
    shop.edit("duck", "version 2")
    served.comes_to_say("duck", "version 2")
    with Admin(served.state) as admin:
        admin.act("rollback", "test/duck", {"release": None})
    assert served.says("duck") == "version 1"
    with full(disk):
        # Back to what has a release already: nothing is to be copied, but the pin is over.
        shop.edit("duck", "version 1")
        shop.put("swan", "small" * 20000)
        served.daemon.wait_for_log("folder.refused")
    served.comes_to_say("duck", "version 1")
    shop.edit("goose", "version 2")
    served.comes_to_say("goose", "version 2")
    assert grave(served) == []


def test_a_directory_that_vanishes_under_load_takes_nothing_with_it(serve: Serve, shop: Shop) -> None:
    shop.put("duck", "version 1")
    served = serve(watch="poll")
    away = shop.plugins.with_name("away")
    with Load(served.url, "/e/duck/", is_a_version, 2) as load:
        for number in (2, 3):
            seen = served.daemon.log().count("plugins.unreadable")
            shop.plugins.rename(away)
            eventually(lambda: served.daemon.log().count("plugins.unreadable") > seen)  # noqa: B023
            away.rename(shop.plugins)
            shop.edit("duck", f"version {number}")
            served.comes_to_say("duck", f"version {number}")
    assert (load.wrong, grave(served)) == ({}, [])
