"""Links in the plugins directory, and what becomes of the directory itself."""

import ctypes
import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest
import watchfiles

from endpointd.folders.paths import sharing
from support.watched import Watched, run, write

# Links


def test_a_change_behind_a_link(plugins: Path, poll: bool, tmp_path: Path) -> None:
    target = write(tmp_path / "work" / "v1")
    (plugins / "linked").symlink_to(target)

    async def body(watched: Watched) -> None:
        (target / "manifest.yaml").write_text("name: y")
        assert await watched.told("linked") == {"linked"}

    run(plugins, poll, body)


def test_a_change_behind_a_link_that_is_new(plugins: Path, poll: bool, tmp_path: Path) -> None:
    target = write(tmp_path / "work" / "v1")

    async def body(watched: Watched) -> None:
        (plugins / "linked").symlink_to(target)
        await watched.heard("linked")
        await watched.begun(1 if poll else 2)
        (target / "endpoints" / "a.py").write_text("a = 3")
        assert await watched.told("linked") == {"linked"}

    run(plugins, poll, body)


@pytest.mark.parametrize("is_direct", [True, False])
def test_a_link_that_is_pointed_elsewhere(is_direct: bool, plugins: Path, poll: bool, tmp_path: Path) -> None:
    old, new = write(tmp_path / "work" / "v1"), write(tmp_path / "work" / "v2")
    link = plugins / "linked" if is_direct else tmp_path / "work" / "current"
    link.symlink_to(old)
    if not is_direct:
        (plugins / "linked").symlink_to(link)

    async def body(watched: Watched) -> None:
        (tmp_path / "next").symlink_to(new)
        (tmp_path / "next").replace(link)
        assert await watched.heard("linked") == {"linked"}
        await watched.begun(1 if poll else 2)
        (new / "manifest.yaml").write_text("name: y")
        assert await watched.told("linked") == {"linked"}

    run(plugins, poll, body)


def test_a_link_to_another_plugins_folder(plugins: Path, poll: bool) -> None:
    (plugins / "current").symlink_to("duck")

    async def body(watched: Watched) -> None:
        (plugins / "duck" / "manifest.yaml").write_text("name: y")
        assert await watched.told("duck", "current") == {"duck", "current"}

    run(plugins, poll, body)


def test_a_link_that_leads_away_is_not_followed(
    plugins: Path, poll: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (plugins / "duck" / "away").symlink_to(write(tmp_path / "large"))
    begun = Mock(side_effect=watchfiles.watch)
    monkeypatch.setattr("watchfiles.watch", begun)

    async def body(watched: Watched) -> None:
        (plugins / "neko" / "manifest.yaml").write_text("name: y")
        assert await watched.told("neko") == {"neko"}
        assert not begun.called
        (plugins / "duck" / "away").unlink()
        if poll:
            assert await watched.heard("duck") == {"duck"}
        else:
            # It is told by name, or by the rescan with which the watch begins: the link may go in between.
            await watched.begun(2)
        assert begun.called is not poll

    run(plugins, poll, body)


def test_folders_that_share_files() -> None:
    links = {"current": "/p/v2", "inner": "/p/v2/sub", "far": "/srv/x", "other": "/srv/x"}

    assert sharing("/p", {"v2"}, links) == {"v2", "current", "inner"}
    assert sharing("/p", {"current"}, links) == {"v2", "current", "inner"}
    assert sharing("/p", {"far"}, links) == {"far", "other"}
    assert sharing("/p", {"v20"}, links) == {"v20"}


# The directory itself


@pytest.mark.parametrize("how", ["moved", "removed"])
def test_the_directory_vanishes_and_comes_back(how: str, plugins: Path, poll: bool, tmp_path: Path) -> None:
    async def body(watched: Watched) -> None:
        os.rename(plugins, tmp_path / "away") if how == "moved" else shutil.rmtree(plugins)
        await watched.rescan()
        (tmp_path / "away").rename(plugins) if how == "moved" else write(plugins / "duck")
        await watched.rescan()
        (plugins / "duck" / "manifest.yaml").write_text("name: again")
        assert await watched.told("duck") == {"duck"}

    run(plugins, poll, body)


def exchange(one: Path, other: Path) -> None:
    """At once, so that neither is ever missing: renameat2(2) with RENAME_EXCHANGE."""
    at_cwd, rename_exchange = -100, 2
    paths = os.fsencode(one), os.fsencode(other)
    assert ctypes.CDLL(None).renameat2(at_cwd, paths[0], at_cwd, paths[1], rename_exchange) == 0


def test_another_directory_takes_its_place_at_once(plugins: Path, tmp_path: Path) -> None:
    write(tmp_path / "next" / "goose")

    async def body(watched: Watched) -> None:
        exchange(tmp_path / "next", plugins)
        await watched.rescan()
        (plugins / "goose" / "manifest.yaml").write_text("name: y")
        assert await watched.told("goose") == {"goose"}

    run(plugins, False, body)


def test_the_directory_is_a_link_that_is_pointed_elsewhere(plugins: Path, poll: bool, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other / "goose")
    (tmp_path / "link").symlink_to(plugins)

    async def body(watched: Watched) -> None:
        (tmp_path / "next").symlink_to(other)
        (tmp_path / "next").replace(tmp_path / "link")
        await watched.rescan()
        (other / "goose" / "manifest.yaml").write_text("name: y")
        assert await watched.told("goose") == {"goose"}

    run(tmp_path / "link", poll, body)


def test_the_directory_may_come_later(tmp_path: Path, poll: bool) -> None:
    async def body(watched: Watched) -> None:
        write(watched.directory / "duck")
        await watched.rescan()
        (watched.directory / "duck" / "manifest.yaml").write_text("name: y")
        assert await watched.told("duck") == {"duck"}

    run(tmp_path / "plugins", poll, body)
