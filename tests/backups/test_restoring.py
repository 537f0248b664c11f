"""Backups put back: everything or nothing, from whatever file, and whenever it is interrupted."""

import gzip
import io
import json
import os
import resource
import shutil
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from endpointd.backups.contents import LIST
from endpointd.backups.restoring import restore
from endpointd.backups.saving import Places, save
from endpointd.errors import OperatorError
from endpointd.plugins.pins import Pin, Pins
from endpointd.plugins.releases import Releases
from endpointd.premises import RESTORING, make_state
from endpointd.sealing.keyfile import KeyFile
from endpointd.settings.settings import Settings
from endpointd.storage import open_store
from support.dying import killed_at_every_step
from support.packages import everything_below
from support.plugins import write_plugin


def places_in(root: Path) -> Places:
    state = root / "state"
    return Places(state, root / "plugins", state / "endpointd.db", KeyFile(state / "secret.key"))


def furnish(root: Path, text: str) -> Places:
    """A state with a database, keys, a pin with its release, and a plugin."""
    places = places_in(root)
    places.state.mkdir(parents=True)
    open_store(Settings(state=places.state, plugins=places.plugins)).close()
    folder = write_plugin(places.plugins, "duck", {"a.py": text}, [("GET", "/", "a.py")])
    (folder / ".difyignore").write_text("notes")
    (folder / "notes").write_text("kept")
    release = Releases(places.state / "releases").make(folder, "test/duck")
    Pins(places.state / "pins.json").set("test/duck", Pin(release.digest, "0" * 16))
    return places


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(furnish(tmp_path / "old", "old"), tmp_path / "backup", with_key=True)
    return tmp_path / "backup"


def what_is_in(places: Places) -> dict[str, bytes]:
    """All that a daemon would find, but not what was put aside or is only a lock."""
    found = {}
    for folder in (places.state, places.plugins):
        for name in everything_below(folder) if folder.exists() else ():
            if ".before-restore-" not in name and not name.endswith(("-wal", "-shm")):
                found[f"{folder.name}/{name}"] = (folder / name).read_bytes()
    return found


def test_a_state_among_the_plugins_is_none_of_them(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    state = plugins / "state"
    places = Places(state, plugins, state / "endpointd.db", KeyFile(state / "secret.key"))
    state.mkdir(parents=True)
    open_store(Settings(state=state, plugins=plugins)).close()
    write_plugin(plugins, "duck", {"a.py": "old"}, [("GET", "/", "a.py")])
    saved = save(places, tmp_path / "backup", with_key=False)
    assert list(saved.contents.plugins.values()) == ["duck"]

    (plugins / "duck" / "a.py").write_text("new")
    restore(tmp_path / "backup", places, replace=True)

    assert (plugins / "duck" / "a.py").read_text() == "old"
    assert places.key.path.exists()


def test_what_was_saved_is_there_again(saved: Path, tmp_path: Path) -> None:
    places = places_in(tmp_path / "new")
    places.state.mkdir(parents=True)
    restore(saved, places, replace=False)

    old = what_is_in(places_in(tmp_path / "old"))
    new = what_is_in(places)
    assert sorted(new) == sorted(old)
    assert {name: new[name] for name in new if not name.endswith(".db")} == {
        name: old[name] for name in old if not name.endswith(".db")
    }
    for name in ("endpointd.db", "secret.key", "pins.json"):
        assert (places.state / name).stat().st_mode & 0o777 == 0o600
    open_store(Settings(state=places.state)).close()
    make_state(places.state)


def test_every_folder_that_can_be_served_is_put_back(tmp_path: Path) -> None:
    old, new = furnish(tmp_path / "old", "old"), places_in(tmp_path / "new")
    for name in ("_name", "n" * 255, "two words", os.fsdecode(b"\xff")):
        shutil.copytree(old.plugins / "duck", old.plugins / name)
    release = Releases(old.state / "releases").make(old.plugins / "duck", "Someone/duck")
    Pins(old.state / "pins.json").set("Someone/duck", Pin(release.digest, "0" * 16))
    save(old, tmp_path / "backup", with_key=True)
    new.state.mkdir(parents=True)
    restore(tmp_path / "backup", new, replace=False)

    assert sorted(what_is_in(new)) == sorted(what_is_in(old))


def test_links_out_of_a_folder_are_left_out_and_named(tmp_path: Path) -> None:
    old, new = furnish(tmp_path / "old", "old"), places_in(tmp_path / "new")
    (old.plugins / "duck" / ".difyignore").write_text("env/")
    (old.plugins / "duck" / "env").mkdir()
    (old.plugins / "duck" / "env" / "python").symlink_to("/usr/bin/python3")
    (old.plugins / "duck" / "env" / "inner").symlink_to("../a.py")
    done = save(old, tmp_path / "backup", with_key=False)
    assert (list(done.links), done.failed) == ([str(old.plugins / "duck" / "env" / "python")], [])
    new.state.mkdir(parents=True)
    restore(tmp_path / "backup", new, replace=False)

    assert os.listdir(new.plugins / "duck" / "env") == ["inner"]
    assert (new.plugins / "duck" / "env" / "inner").read_text() == "old"


def test_a_folder_that_cannot_be_read_keeps_nothing_else_from_being_saved(tmp_path: Path) -> None:
    old, new = furnish(tmp_path / "old", "old"), places_in(tmp_path / "new")
    (old.plugins / "a-link").symlink_to("n" * 300)
    done = save(old, tmp_path / "backup", with_key=True)
    assert [error.code for error in done.failed] == ["release_unreadable"]
    (old.plugins / "a-link").unlink()
    new.state.mkdir(parents=True)
    restore(tmp_path / "backup", new, replace=False)
    assert sorted(what_is_in(new)) == sorted(what_is_in(old))


def test_a_backup_is_its_owners_and_without_the_key_unless_that_is_asked_for(saved: Path, tmp_path: Path) -> None:
    contents = save(places_in(tmp_path / "old"), tmp_path / "keyless", with_key=False).contents

    assert [path.stat().st_mode & 0o777 for path in (saved, tmp_path / "keyless")] == [0o600, 0o600]
    assert not contents.has_key
    key = (tmp_path / "old" / "state" / "secret.key").read_bytes()
    assert key in gzip.decompress(saved.read_bytes())
    assert key not in gzip.decompress((tmp_path / "keyless").read_bytes())


def test_a_database_that_is_written_to_meanwhile_is_saved_as_it_is_at_one_moment(tmp_path: Path) -> None:
    places = furnish(tmp_path / "old", "old")
    assert places.database is not None
    with closing(sqlite3.connect(places.database)) as writer:
        writer.execute("CREATE TABLE scratch (x)")
        writer.execute("INSERT INTO scratch VALUES (1)")
        writer.commit()
        # Not committed, and so not there.
        writer.execute("INSERT INTO scratch VALUES (2)")
        save(places, tmp_path / "backup", with_key=False)
    with tarfile.open(tmp_path / "backup") as archive:
        archive.extract("endpointd.db", tmp_path, filter="data")
    with closing(sqlite3.connect(tmp_path / "endpointd.db")) as copy:
        assert copy.execute("SELECT x FROM scratch").fetchall() == [(1,)]


def test_nothing_is_put_over_something_unless_asked_for_and_then_that_is_kept(saved: Path, tmp_path: Path) -> None:
    places = furnish(tmp_path / "new", "new")
    write_plugin(places.plugins, "goose", {"a.py": ""}, [("GET", "/", "a.py")])
    before = what_is_in(places)
    with pytest.raises(OperatorError, match="restore_over_something"):
        restore(saved, places, replace=False)
    assert what_is_in(places) == before

    done = restore(saved, places, replace=True)
    assert (places.plugins / "duck" / "a.py").read_text() == "old"
    assert not (places.plugins / "goose").exists()
    kept = {path.name for folder in done.aside for path in folder.iterdir()}
    assert kept >= {"duck", "goose", "endpointd.db", "pins.json", "secret.key"}


def refused(file: Path, tmp_path: Path, code: str) -> None:
    places = furnish(tmp_path / "new", "new")
    before = what_is_in(places)
    with pytest.raises(OperatorError) as caught:
        restore(file, places, replace=True)
    assert caught.value.code == code
    assert what_is_in(places) == before
    assert not list(places.plugins.glob(".*"))
    shutil.rmtree(tmp_path / "new")


def test_a_backup_that_is_not_whole_changes_nothing(saved: Path, tmp_path: Path) -> None:
    data = saved.read_bytes()
    file = tmp_path / "damaged"
    for size in (0, 10, len(data) // 2, len(data) - 20):
        file.write_bytes(data[:size])
        refused(file, tmp_path, "backup_damaged")
    refused(tmp_path / "none", tmp_path, "backup_unreadable")


def test_a_place_that_does_not_take_a_backup_is_blamed_and_not_the_backup(saved: Path, tmp_path: Path) -> None:
    places = furnish(tmp_path / "new", "new")
    before = what_is_in(places)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # What a process may write to one file ends, as a disk does.
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OperatorError, match="File too large") as caught:
            restore(saved, places, replace=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.code == "restore_failed"
    assert what_is_in(places) == before


@pytest.mark.parametrize(("missing", "code"), [("plugins", "backup_source_unreadable"), ("out", "output_unwritable")])
def test_what_a_backup_fails_at_is_named(missing: str, code: str, tmp_path: Path) -> None:
    places = furnish(tmp_path / "old", "old")
    (tmp_path / "out").mkdir()
    place = {"plugins": places.plugins, "out": tmp_path / "out"}[missing]
    place.rename(tmp_path / "away")
    with pytest.raises(OperatorError, match=str(place)) as caught:
        save(places, tmp_path / "out" / "backup", with_key=False)
    assert caught.value.code == code


def changed(saved: Path, file: Path, name: str, content: bytes | None, more: str = "") -> None:
    """The backup with another content of one file, or without it, or with one file more."""
    with tarfile.open(saved) as old, tarfile.open(file, "w:gz") as new:
        for member in old:
            data = old.extractfile(member)
            assert data is not None
            text = data.read() if member.name != name else content
            if text is not None:
                member.size = len(text)
                new.addfile(member, io.BytesIO(text))
        if more:
            new.addfile(tarfile.TarInfo(more), io.BytesIO())


def test_a_backup_that_was_changed_changes_nothing(saved: Path, tmp_path: Path) -> None:
    file = tmp_path / "changed"
    with tarfile.open(saved) as archive:
        found = archive.extractfile(LIST)
        assert found is not None
        contents = json.load(found)
    evil = {**contents["files"], "plugins/../../evil.tar": "0" * 64}
    names = [{"plugins/0001.tar": name} for name in ("../evil", ".hidden", "", "a/b", "a" * 256, "\ud800")]
    for name, content, more in [
        ("plugins/0001.tar", b"evil", ""),
        ("endpointd.db", None, ""),
        (LIST, None, ""),
        (LIST, b"[]", ""),
        (LIST, json.dumps({**contents, "files": evil}).encode(), ""),
        *((LIST, json.dumps({**contents, "plugins": plugins}).encode(), "") for plugins in [{}, *names]),
        ("", None, "../evil"),
        ("", None, "pins.json"),
    ]:
        changed(saved, file, name, content, more)
        refused(file, tmp_path, "backup_damaged")
    changed(saved, file, LIST, json.dumps({**contents, "form": 2}).encode())
    refused(file, tmp_path, "backup_newer")


def test_whenever_it_is_killed_a_daemon_finds_all_of_it_or_does_not_start(saved: Path, tmp_path: Path) -> None:
    places = places_in(tmp_path / "new")

    furnish(tmp_path / "template", "new")

    def again() -> dict[str, bytes]:
        shutil.rmtree(tmp_path / "new", ignore_errors=True)
        shutil.copytree(tmp_path / "template", tmp_path / "new")
        return what_is_in(places)

    before, seen = again(), set()
    for step in killed_at_every_step(lambda: restore(saved, places, replace=True)):
        is_begun = (places.state / RESTORING).exists()
        if is_begun:
            with pytest.raises(OperatorError, match="restore_unfinished"):
                make_state(places.state)
            # Without having to say so again.
            restore(saved, places, replace=False)
        else:
            found = what_is_in(places)
            assert all(found.get(name) == content for name, content in before.items()) or (
                found["plugins/duck/a.py"] == b"old"
            ), step
        if is_begun:
            assert what_is_in(places)["plugins/duck/a.py"] == b"old"
            make_state(places.state)
        seen.add(is_begun)
        before = again()
    assert seen == {True, False}
