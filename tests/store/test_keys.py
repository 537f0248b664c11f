"""Keys and the database belong together: a wrong key is told, never replaced; changing keys loses nothing, whoever is
killed meanwhile."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from endpointd.sealing.keyfile import KeyFile
from endpointd.sealing.keyring import Key, Keyring
from endpointd.store.endpoint_store import EndpointStore
from endpointd.store.rotation import rotate_keys
from store.conftest import KEYS, NEW, OLD, Place, opened, record, refused
from support.dying import killed_at_every_step

BOTH = Keyring([NEW, OLD])
RECORDS = [record(created_at=float(n), settings={"token": f"s3cret {n}", "n": n}) for n in range(3)] + [
    record(created_at=9.0, settings={"plain": 1}, secrets=frozenset())
]


@pytest.fixture
def filled(place: Place) -> Place:
    with opened(place) as store:
        for one in RECORDS:
            store.add(one)
    return place


def keys_of(place: Place) -> set[str]:
    """The keys that something is sealed with, as the rows and as the sealed texts have it."""
    rows = place.ask("SELECT key, sealed FROM endpoints WHERE key IS NOT NULL")
    assert all(f":{key}:" in sealed for key, sealed in rows)
    return {key for key, _ in rows}


def registered(place: Place) -> set[str]:
    return {row[0] for row in place.ask("SELECT id FROM secret_keys")}


@pytest.fixture
def key_file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "secret.key")


def test_a_wrong_key_is_told_and_nothing_is_changed(filled: Place) -> None:
    before = filled.ask("SELECT * FROM endpoints ORDER BY id"), registered(filled)
    with refused("secret_key_wrong"):
        EndpointStore.open(filled.url, Keyring([NEW]))
    assert before == (filled.ask("SELECT * FROM endpoints ORDER BY id"), registered(filled))
    with opened(filled) as store:
        assert store.all() == RECORDS


def test_a_missing_key_file_is_not_made_while_secrets_are_stored(filled: Place, key_file: KeyFile) -> None:
    with refused("secret_key_missing"):
        EndpointStore.open(filled.url, key_file)
    assert not key_file.path.exists()


def test_a_key_file_is_made_for_a_new_database(place: Place, key_file: KeyFile) -> None:
    with opened(place, key_file) as store:
        store.add(RECORDS[0])
    with opened(place, key_file) as store:
        assert store.all() == RECORDS[:1]
    key_file.path.unlink()
    with refused("secret_key_missing"):
        EndpointStore.open(place.url, key_file)


def test_without_secrets_any_key_will_do(place: Place, key_file: KeyFile) -> None:
    with opened(place) as store:
        store.add(RECORDS[-1])
    with opened(place, key_file) as store:
        assert store.all() == [RECORDS[-1]]
    assert registered(place) == {key_file.make().first}


def test_a_proof_that_was_changed_is_a_wrong_key(filled: Place) -> None:
    filled.ask(f"UPDATE secret_keys SET proof = '{KEYS.seal('something else', 'key', OLD.id)}'")
    with refused("secret_key_wrong"):
        EndpointStore.open(filled.url, KEYS)


def test_what_is_written_with_a_new_key_needs_both(filled: Place) -> None:
    with opened(filled, BOTH) as store:
        assert store.all() == RECORDS
        store.replace(RECORDS[0])
        assert store.all() == RECORDS
    assert keys_of(filled) == {NEW.id, OLD.id}
    for keys in (KEYS, Keyring([NEW])):
        with refused("secret_key_wrong"):
            EndpointStore.open(filled.url, keys)


@pytest.mark.parametrize("ring", [BOTH, Keyring([NEW])], ids=["with the old one", "alone"])
def test_everything_is_sealed_anew(filled: Place, ring: Keyring) -> None:
    with opened(filled) as store:
        assert store.rotate(ring) == 3
        assert store.all() == RECORDS
        late = record(created_at=10.0)
        store.add(late)
        assert store.rotate(ring) == 4
    assert keys_of(filled) == registered(filled) == {NEW.id}
    with opened(filled, Keyring([NEW])) as store:
        assert store.all() == [*RECORDS, late]
    with refused("secret_key_wrong"):
        EndpointStore.open(filled.url, KEYS)


def test_who_has_old_keys_only_can_seal_nothing_any_more(filled: Place) -> None:
    with opened(filled) as stale:
        with opened(filled, BOTH) as store:
            store.rotate(BOTH)
        for action in (lambda: stale.add(record()), lambda: stale.replace(RECORDS[0]), stale.all):
            with refused("secret_key_wrong"):
                action()
        plain = record(secrets=frozenset())
        stale.add(plain)
        stale.remove(plain.id)
    with opened(filled, Keyring([NEW])) as store:
        assert store.all() == RECORDS


def test_a_rotation_that_cannot_read_everything_changes_nothing(filled: Place) -> None:
    before = filled.ask("SELECT * FROM endpoints ORDER BY id")
    with opened(filled) as store:
        filled.ask(f"UPDATE endpoints SET sealed = replace(sealed, ':{OLD.id}', ':{NEW.id}') WHERE name = 'Duck'")
        damaged = filled.ask("SELECT * FROM endpoints ORDER BY id")
        assert damaged != before
        with refused("endpoint_damaged"):
            store.rotate(BOTH)
        assert filled.ask("SELECT * FROM endpoints ORDER BY id") == damaged
        assert registered(filled) == {OLD.id}


def test_the_key_is_changed_in_file_and_database(place: Place, key_file: KeyFile) -> None:
    with opened(place, key_file) as store:
        store.add(RECORDS[0])
        old = key_file.make().first
        assert rotate_keys(store, key_file) == 1
        assert store.all() == RECORDS[:1]
    ring = key_file.read()
    assert ring is not None
    assert ring.ids == keys_of(place) == registered(place)
    assert old not in ring.ids


def killed_at_each(place: Place, key_file: KeyFile, action: Callable[[], object]) -> int:
    """Each time, all secrets can be read with what is in the key file, and written."""
    deaths = 0
    for _ in killed_at_every_step(action):
        deaths += 1
        with opened(place, key_file) as store:
            assert store.all() == RECORDS
            store.replace(RECORDS[1])
    return deaths


def test_a_death_in_a_change_of_keys_loses_no_secret(place: Place, key_file: KeyFile) -> None:
    with opened(place, key_file) as store:
        for one in RECORDS:
            store.add(one)

    def rotate() -> None:
        with opened(place, key_file) as store:
            rotate_keys(store, key_file)

    assert killed_at_each(place, key_file, rotate) > 20
    ring = key_file.read()
    assert ring is not None
    assert len(ring.ids) == 1
    assert keys_of(place) == ring.ids
    # Files of those that were killed while they wrote may lie about, for nobody else's eyes.
    assert all(path.stat().st_mode & 0o077 == 0 for path in key_file.path.parent.iterdir())


def test_a_death_at_the_first_start_is_no_hindrance(tmp_path: Path, in_file: Place, key_file: KeyFile) -> None:
    def start() -> None:
        with opened(in_file, key_file) as store:
            store.add(RECORDS[0])

    for _ in killed_at_every_step(start):
        with opened(in_file, key_file) as store:
            assert store.all() in ([], RECORDS[:1])
        for path in tmp_path.iterdir():
            path.unlink()


def test_the_new_key_may_be_put_first_by_hand(filled: Place, tmp_path: Path) -> None:
    def file_of(*keys: Key) -> KeyFile:
        file = KeyFile(tmp_path / "by-hand")
        file.path.unlink(missing_ok=True)
        file.make()
        with file.changing():
            file._replace(keys)
        return file

    with opened(filled, file_of(NEW, OLD)) as store:
        store.rotate(BOTH)
    with opened(filled, file_of(NEW)) as store:
        assert store.all() == RECORDS
    assert os.listdir(tmp_path)


def test_a_key_that_systemd_gives_seals_everything_when_it_stands_first(filled: Place, tmp_path: Path) -> None:
    path = tmp_path / "given"
    KeyFile(path).make()
    with KeyFile(path).changing():
        KeyFile(path)._replace([NEW, OLD])
    given = KeyFile(path, is_credential=True)
    before = path.read_bytes()
    with opened(filled, given) as store:
        assert rotate_keys(store, given) == 3
        assert store.all() == RECORDS
        assert keys_of(filled) == {NEW.id}
        # There is nothing to do any more, and no key of its own to make.
        with refused("secret_key_fixed"):
            rotate_keys(store, given)
    assert path.read_bytes() == before
