"""A folder in the place of another: whole at every moment, and as it was before when that is not to stay."""

import errno
import json
import os
from functools import partial
from pathlib import Path

import pytest

from endpointd.folders.disk import exchange
from endpointd.folders.leftout import is_plugin_folder
from endpointd.installing.placing import PREFIX, place, recover
from support.dying import killed_at_every_step

Texts = dict[str, str]


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    return plugins


@pytest.fixture(params=["exchanged", "moved twice"])
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every file system can exchange two names."""
    if request.param != "exchanged":
        monkeypatch.setattr("endpointd.installing.placing.exchange", lambda *_: False)


def staged_with(text: str, plugins: Path) -> Path:
    folder = plugins / f".staging-{text}"
    folder.mkdir()
    (folder / "version").write_text(text)
    return folder


def texts(plugins: Path) -> Texts:
    """What each folder says; of hidden ones nothing may be left."""
    return {folder.name: (folder / "version").read_text() for folder in plugins.iterdir()}


def put(text: str, plugins: Path) -> None:
    place(staged_with(text, plugins), plugins / "duck").keep()


@pytest.mark.usefixtures("_way")
def test_a_folder_takes_the_place_of_another(plugins: Path) -> None:
    for version in ("1", "2"):
        put(version, plugins)
        assert texts(plugins) == {"duck": version}


@pytest.mark.usefixtures("_way")
def test_what_is_undone_is_as_it_was(plugins: Path) -> None:
    place(staged_with("1", plugins), plugins / "duck").undo()
    assert texts(plugins) == {}
    put("1", plugins)
    placement = place(staged_with("2", plugins), plugins / "duck")
    assert (plugins / "duck" / "version").read_text() == "2"
    placement.undo()
    assert texts(plugins) == {"duck": "1"}


def test_what_somebody_else_has_put_there_meanwhile_stays(plugins: Path) -> None:
    put("1", plugins)
    placement = place(staged_with("2", plugins), plugins / "duck")
    (plugins / "duck").rename(plugins / "mine")
    staged_with("3", plugins).rename(plugins / "duck")
    placement.undo()
    assert texts(plugins) == {"mine": "2", "duck": "3"}


@pytest.mark.usefixtures("_way")
def test_a_link_is_replaced_and_not_what_it_leads_to(plugins: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / "version").write_text("linked")
    (plugins / "duck").symlink_to(linked)

    place(staged_with("2", plugins), plugins / "duck").undo()
    assert (plugins / "duck").readlink() == linked
    put("2", plugins)
    assert not (plugins / "duck").is_symlink()
    assert (linked / "version").read_text() == "linked"
    assert texts(plugins) == {"duck": "2"}


def test_the_exchange_is_one_call(plugins: Path) -> None:
    (plugins / "one").mkdir()
    (plugins / "other").touch()

    assert exchange(plugins / "one", plugins / "other")
    assert (plugins / "other").is_dir()
    with pytest.raises(FileNotFoundError):
        exchange(plugins / "one", plugins / "none")


def test_a_failure_leaves_the_old_folder(plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put("1", plugins)

    def fail(*_: object) -> bool:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("endpointd.installing.placing.exchange", fail)
    with pytest.raises(OSError, match="Input/output"):
        place(staged_with("2", plugins), plugins / "duck")
    assert texts(plugins) == {"duck": "1"}


# Killed


def _install(plugins: Path, *, stays: bool) -> None:
    placement = place(plugins / ".staging-2", plugins / "duck")
    if stays:
        placement.keep()
    else:
        placement.undo()


def _recovered(plugins: Path) -> Texts:
    """What is there when the daemon has started again. What was only unpacked is for `staging.clean`."""
    list(recover(plugins))
    assert not [one for one in plugins.iterdir() if one.name.startswith(PREFIX)]
    return {name: text for name, text in texts(plugins).items() if is_plugin_folder(name)}


@pytest.mark.usefixtures("_way")
@pytest.mark.parametrize("before", [{}, {"duck": "1"}], ids=["nothing", "an older one"])
@pytest.mark.parametrize("stays", [True, False])
def test_whenever_it_is_killed_there_is_the_old_or_the_new_and_nothing_else(
    plugins: Path, before: Texts, stays: bool
) -> None:
    def again() -> None:
        for folder in plugins.iterdir():
            _remove(folder)
        for text in before.values():
            put(text, plugins)
        staged_with("2", plugins)

    again()
    seen = []
    for step in killed_at_every_step(partial(_install, plugins, stays=stays)):
        found = _recovered(plugins)
        assert found in (before, {"duck": "2"}), step
        assert stays or found == before, step
        seen.append(found)
        again()
    assert (seen[0], len(seen) >= 4) == (before, True)
    # Once the new one stays, it stays for good.
    assert sorted(seen, key=lambda found: found != before) == seen


@pytest.mark.usefixtures("_way")
def test_a_recovery_that_is_killed_is_made_good_by_the_next(plugins: Path) -> None:
    def again() -> None:
        for folder in plugins.iterdir():
            _remove(folder)
        put("1", plugins)
        place(staged_with("2", plugins), plugins / "duck")

    again()
    for step in killed_at_every_step(lambda: list(recover(plugins))):
        assert _recovered(plugins) == {"duck": "1"}, step
        again()


def _remove(folder: Path) -> None:
    for file in sorted(folder.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    folder.rmdir()


def test_what_is_kept_stays_though_what_was_before_could_not_be_removed(
    plugins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the daemon is killed while it removes that: half of it must not come back."""
    put("1", plugins)
    placement = place(staged_with("2", plugins), plugins / "duck")
    with monkeypatch.context() as patch:
        patch.setattr("endpointd.installing.placing._remove", lambda _: None)
        placement.keep()
    assert list(recover(plugins)) == []
    assert texts(plugins) == {"duck": "2"}


@pytest.mark.parametrize("record", ["", "{", "[]", '{"folder": "duck"}', '{"folder": "duck", "mark": 1}'])
def test_a_record_that_is_not_whole_says_that_nothing_was_moved(record: str, plugins: Path) -> None:
    put("1", plugins)
    (plugins / f"{PREFIX}x").mkdir()
    (plugins / f"{PREFIX}x" / "record").write_text(record)

    assert list(recover(plugins)) == []
    assert texts(plugins) == {"duck": "1"}
    assert list(recover(plugins / "none")) == []


# Planted


def planted(home: Path, folder: str, target: Path) -> Path:
    """As if `target` had been put there by a placement that is to be taken back."""
    home.mkdir(mode=0o700)
    state = target.lstat()
    (home / "record").write_text(json.dumps({"folder": folder, "mark": [state.st_dev, state.st_ino]}))
    return home


@pytest.fixture
def precious(tmp_path: Path) -> Path:
    """A folder outside."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / "version").write_text("1")
    return folder


@pytest.mark.parametrize("folder", ["../precious", "{precious}", "..", ".", "", "duck/../../precious"])
def test_a_record_is_about_a_folder_of_the_directory_or_none(folder: str, plugins: Path, precious: Path) -> None:
    put("1", plugins)
    planted(plugins / f"{PREFIX}x", folder.format(precious=precious), precious)

    assert list(recover(plugins)) == []
    assert texts(plugins) == {"duck": "1"}
    assert (precious / "version").read_text() == "1"


def test_a_link_to_a_record_is_none(plugins: Path, tmp_path: Path) -> None:
    put("1", plugins)
    home = planted(tmp_path / "elsewhere", "duck", plugins / "duck")
    (plugins / f"{PREFIX}x").symlink_to(home)

    assert list(recover(plugins)) == []
    assert (plugins / "duck" / "version").read_text() == "1"
    assert sorted(path.name for path in home.iterdir()) == ["record"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away: NOT TESTED")
def test_another_users_record_is_none(plugins: Path) -> None:
    put("1", plugins)
    home = planted(plugins / f"{PREFIX}x", "duck", plugins / "duck")
    os.chown(home, 65534, 65534)

    assert list(recover(plugins)) == []
    assert (plugins / "duck" / "version").read_text() == "1"


def test_a_record_that_others_may_have_written_is_none(plugins: Path) -> None:
    put("1", plugins)
    planted(plugins / f"{PREFIX}x", "duck", plugins / "duck").chmod(0o777)

    assert list(recover(plugins)) == []
    assert (plugins / "duck" / "version").read_text() == "1"
