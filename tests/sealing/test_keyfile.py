"""The key file: made once and whole, for nobody else's eyes, and never without the keys that are needed."""

import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from endpointd.errors import OperatorError
from endpointd.sealing.keyfile import KeyFile, find_key_file
from endpointd.sealing.keyring import Keyring
from support.dying import killed_at_every_step, no_room


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secret.key"


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(OperatorError) as caught:
        yield
    assert caught.value.code == code


def ids(path: Path) -> frozenset[str]:
    ring = KeyFile(path).read()
    assert ring is not None
    return ring.ids


def test_it_is_made_once(path: Path) -> None:
    assert KeyFile(path).read() is None
    made = KeyFile(path).make()
    assert KeyFile(path).make().ids == ids(path) == made.ids
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o777])
def test_only_its_owner_may_read_it_whatever_the_umask(path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        KeyFile(path).make()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o644, 0o601])
def test_it_is_refused_when_others_may_use_it(path: Path, mode: int) -> None:
    KeyFile(path).make()
    path.chmod(mode)
    with refused("secret_key_open"):
        KeyFile(path).make()
    path.chmod(0o400)
    assert KeyFile(path).read() is not None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away: NOT TESTED")
def test_it_is_refused_when_it_is_another_users(path: Path) -> None:
    KeyFile(path).make()
    os.chown(path, 12345, -1)
    with refused("secret_key_open"):
        KeyFile(path).read()


def test_two_that_make_it_at_once_have_the_same_key(path: Path) -> None:
    made: list[Keyring] = []
    gate = threading.Barrier(8)

    def make() -> None:
        gate.wait()
        made.append(KeyFile(path).make())

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {ring.first for ring in made} == ids(path)
    assert len(made) == 8
    assert os.listdir(path.parent) == [path.name]


def test_who_is_too_late_takes_what_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def late(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        KeyFile(target).make()
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    assert KeyFile(path).make().ids == ids(path)


def test_a_death_while_it_is_made_leaves_none_or_a_whole_one(path: Path) -> None:
    for _ in killed_at_every_step(lambda: KeyFile(path).make()):
        found = KeyFile(path).read()
        assert found is None or KeyFile(path).make().ids == found.ids
        path.unlink(missing_ok=True)


def test_a_death_while_it_is_changed_loses_no_key(path: Path) -> None:
    first = KeyFile(path).make().first

    def change() -> None:
        with KeyFile(path).changing():
            KeyFile(path).add()

    for _ in killed_at_every_step(change):
        assert first in ids(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_new_key_comes_first_and_the_old_ones_are_dropped(path: Path) -> None:
    file = KeyFile(path)
    old = file.make()
    with file.changing():
        new = file.add()
        assert new.ids > old.ids
        assert new.first not in old.ids
        assert ids(path) == new.ids
        assert file.drop_old().ids == ids(path) == {new.first}


def test_a_link_stays_one(path: Path) -> None:
    KeyFile(path).make()
    link = path.with_name("link")
    link.symlink_to(path)
    with KeyFile(link).changing():
        new = KeyFile(link).add()
    assert link.is_symlink()
    assert ids(path) == new.ids


def test_one_at_a_time_changes_it(path: Path) -> None:
    KeyFile(path).make()
    with KeyFile(path).changing(), refused("secret_key_unwritable"), KeyFile(path).changing():
        pass
    with KeyFile(path).changing():
        pass


@pytest.mark.parametrize(
    "content",
    [
        "",
        "# only a comment\n",
        "s3cret\n",
        "endpointd-key-1:\n",
        "endpointd-key-1:czNjcmV0\n",
        "endpointd-key-1:!\n",
        "\0\xff",
    ],
)
def test_what_is_no_key_is_not_quoted(path: Path, content: str) -> None:
    path.write_text(content)
    path.chmod(0o600)
    with pytest.raises(OperatorError) as caught:
        KeyFile(path).make()
    assert caught.value.code == "secret_key_invalid"
    assert "czNj" not in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert path.read_text() == content


def test_comments_and_blank_lines_are_left_out(path: Path) -> None:
    made = KeyFile(path).make()
    path.write_text("\n# mine\n\n  " + path.read_text() + "\n\n")
    assert ids(path) == made.ids


def test_what_is_no_file_is_refused(path: Path) -> None:
    os.mkfifo(path, 0o600)
    with refused("secret_key_unreadable"):
        KeyFile(path).read()
    with refused("secret_key_unreadable"):
        KeyFile(path.parent).read()
    with refused("secret_key_unwritable"):
        KeyFile(path.parent / "none" / "key").make()


@pytest.mark.parametrize("call", ["fsync", "link"])
def test_a_full_disk_leaves_nothing(path: Path, call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, call, no_room)
    with refused("secret_key_unwritable"):
        KeyFile(path).make()
    assert os.listdir(path.parent) == []


def test_a_full_disk_leaves_the_keys_as_they_are(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = KeyFile(path).make()
    monkeypatch.setattr(os, "fsync", no_room)
    with refused("secret_key_unwritable"), KeyFile(path).changing():
        KeyFile(path).add()
    assert ids(path) == made.ids
    assert os.listdir(path.parent) == [path.name]


def test_where_the_file_is(tmp_path: Path) -> None:
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert find_key_file(None, Path("state"), {}).path == Path("state/secret.key")
    assert find_key_file(None, Path("state"), environment).path == Path("state/secret.key")
    KeyFile(tmp_path / "endpointd-key").make()
    assert find_key_file(None, Path("state"), environment).path == tmp_path / "endpointd-key"
    assert find_key_file(Path("mine"), Path("state"), environment).path == Path("mine")


def test_a_credential_has_systemds_mode_and_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "endpointd-key"
    KeyFile(path).make()
    path.chmod(0o440)
    file = find_key_file(None, Path("state"), {"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert file.read() is not None
    with refused("secret_key_fixed"), file.changing():
        pass
    path.chmod(0o444)
    with refused("secret_key_open"):
        file.read()
