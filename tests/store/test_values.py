"""What plugins store, in real databases: whole, within its quota, and there again."""

import os
import threading
from collections.abc import Iterator

import pytest

from endpointd.sessions.storage import MAX_KEYS, QuotaExceeded
from endpointd.store.value_store import PIECE, ValueStore
from store.conftest import Place, opened, record, refused

ALL = 1 << 30
DUCK, GOOSE = "acme/duck", "acme/goose"


@pytest.fixture
def values(place: Place) -> Iterator[ValueStore]:
    with opened(place):
        pass
    values = ValueStore.open(place.url)
    yield values
    values.close()


def read(values: ValueStore, key: bytes, plugin: str = DUCK) -> bytes | None:
    found = values.get(plugin, key, ALL)
    return None if found is None else b"".join(found.pieces or [])


def held(place: Place, plugin: str = DUCK) -> list[tuple[int, int]]:
    """What is noted to be stored: bytes, and keys."""
    return [(size, keys) for size, keys in place.ask(f"SELECT size, entries FROM storages WHERE plugin = '{plugin}'")]


SIZES = [0, 1, PIECE - 1, PIECE, PIECE + 1, 3_000_000]


@pytest.mark.parametrize("size", SIZES)
def test_values_of_any_size_and_content_come_back(values: ValueStore, place: Place, size: int) -> None:
    value = os.urandom(size)
    values.set(DUCK, b"key", [value[:7], value[7:]], ALL)
    assert read(values, b"key") == value
    assert values.exists(DUCK, b"key")
    again = ValueStore.open(place.url)
    assert read(again, b"key") == value
    again.close()


def test_keys_are_any_bytes_and_every_plugins_own(values: ValueStore) -> None:
    for number, key in enumerate([b"a", b"A", b"\0", "ü/../'\"".encode(), b"k" * 256]):
        values.set(DUCK, key, [str(number).encode()], ALL)
        assert read(values, key) == str(number).encode()
        assert read(values, key, GOOSE) is None
    assert read(values, b"a") == b"0"


def test_a_value_takes_the_place_of_the_one_before(values: ValueStore, place: Place) -> None:
    values.set(DUCK, b"key", [bytes(PIECE * 3)], ALL)
    values.set(DUCK, b"key", [b"short"], ALL)
    assert read(values, b"key") == b"short"
    assert held(place) == [(5, 1)]
    assert place.ask("SELECT count(*) FROM stored_pieces") == [(1,)]


def test_what_is_deleted_is_gone_and_its_room_is_free(values: ValueStore, place: Place) -> None:
    values.set(DUCK, b"key", [bytes(1000)], 1000)
    assert values.delete(DUCK, b"key")
    assert not values.delete(DUCK, b"key")
    assert read(values, b"key") is None
    assert not values.exists(DUCK, b"key")
    assert held(place) == [(0, 0)]
    values.set(DUCK, b"other", [bytes(1000)], 1000)


def test_a_large_value_is_not_read_when_it_is_not_wanted(values: ValueStore) -> None:
    values.set(DUCK, b"key", [bytes(1001)], ALL)
    found = values.get(DUCK, b"key", 1000)
    assert found is not None
    assert (found.size, found.pieces) == (1001, None)


def test_beyond_the_quota_nothing_changes(values: ValueStore, place: Place) -> None:
    values.set(DUCK, b"a", [bytes(600)], 1000)
    values.set(DUCK, b"b", [bytes(300)], 1000)
    with pytest.raises(QuotaExceeded) as caught:
        values.set(DUCK, b"b", [bytes(401)], 1000)
    assert caught.value.free == 400
    assert read(values, b"b") == bytes(300)
    assert held(place) == [(900, 2)]
    # Those of another plugin do not count; a quota that has become smaller lets values become smaller.
    values.set(GOOSE, b"a", [bytes(1000)], 1000)
    with pytest.raises(QuotaExceeded):
        values.set(DUCK, b"b", [bytes(300)], 500)
    values.delete(DUCK, b"a")
    values.set(DUCK, b"b", [bytes(500)], 500)


def test_keys_are_bounded(values: ValueStore, place: Place) -> None:
    values.set(DUCK, b"a", [b"x"], ALL)
    place.ask(f"UPDATE storages SET entries = {MAX_KEYS}")
    with pytest.raises(QuotaExceeded):
        values.set(DUCK, b"b", [b""], ALL)
    values.set(DUCK, b"a", [b"y"], ALL)


def test_many_who_store_at_once_stay_within_the_quota(values: ValueStore, place: Place) -> None:
    """Each has room for itself, and not all have."""
    barrier, outcomes = threading.Barrier(20), []

    def work(number: int) -> None:
        barrier.wait()
        try:
            values.set(DUCK, f"{number}".encode(), [bytes(100)], 1000)
            outcomes.append("stored")
        except QuotaExceeded:
            outcomes.append("refused")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 10 + ["stored"] * 10
    assert held(place) == [(1000, 10)]


def test_whoever_reads_sees_a_whole_value(values: ValueStore) -> None:
    """Of one that is replaced all the time, by others of another length."""
    versions = [bytes([number]) * (PIECE * (1 + number % 3) + number) for number in range(6)]
    values.set(DUCK, b"key", [versions[0]], ALL)
    done = threading.Event()

    def write() -> None:
        for number in range(60):
            values.set(DUCK, b"key", [versions[number % 6]], ALL)
        done.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not done.is_set():
        assert read(values, b"key") in versions
    thread.join()


def test_endpoints_are_changed_while_plugins_store_all_the_time(place: Place) -> None:
    """However many want to store, the next turn is whose wait was longest."""
    with opened(place) as store:
        values = ValueStore.open(place.url)
        done = threading.Event()

        def work(number: int) -> None:
            while not done.is_set():
                values.set(f"acme/{number}", b"key", [bytes(100_000)], ALL)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        made = [record() for _ in range(20)]
        for one in made:
            store.add(one)
        done.set()
        for thread in threads:
            thread.join()
        values.close()
        assert len(store.all()) == len(made)


def test_a_file_that_is_gone_is_explained(in_file: Place) -> None:
    with opened(in_file):
        pass
    assert in_file.file is not None
    in_file.file.unlink()
    values = ValueStore.open(in_file.url)
    with refused("database_failed"):
        values.set(DUCK, b"key", [b"x"], ALL)
    values.close()
