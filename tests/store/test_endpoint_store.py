"""The store keeps endpoints as they are given, their secrets sealed, in SQLite and in PostgreSQL."""

import itertools
import stat
import threading
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from endpointd.errors import OperatorError, UsageError
from endpointd.sealing.keyring import Keyring
from endpointd.store.endpoint_store import EndpointStore
from endpointd.store.errors import EndpointExists, EndpointUnknown, HookIdTaken
from endpointd.store.records import EndpointRecord
from store.conftest import KEYS, NEW, OLD, Place, opened, record, refused
from support import postgres

TEXTS = st.text(st.characters())
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.integers(10**30, 10**40) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def written(place: Place) -> str:
    return str(place.ask("SELECT * FROM endpoints"))


def test_endpoints_are_added_replaced_and_removed(place: Place) -> None:
    first, second = record(created_at=1.0), record(created_at=2.0, enabled=False, origin="file", settings={})
    with opened(place) as store:
        assert store.all() == []
        store.add(second)
        store.add(first)
        assert store.all() == [first, second]
    changed = replace(
        first, name="Éric 🦆", hook_id="a-new_one", enabled=False, settings={"x": 1}, updated_at=1e9 + 0.1
    )
    with opened(place) as store:
        assert store.all() == [first, second]
        store.replace(changed)
        store.remove(second.id)
    with opened(place) as store:
        assert store.all() == [changed]


@given(values=st.dictionaries(TEXTS, VALUES, max_size=6), data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_settings_come_back_as_they_were(store: EndpointStore, values: dict[str, Any], data: st.DataObject) -> None:
    secrets = data.draw(st.frozensets(st.sampled_from([*values, "absent"])))
    one = record(settings=values, secrets=secrets)
    store.add(one)
    [found] = store.all()
    store.remove(one.id)
    assert found == one
    # JSON has types that Python takes for equal.
    assert repr(found.settings) == repr(dict(values))
    assert list(found.settings) == list(values)


@pytest.mark.parametrize(
    "value",
    [(1, 2), {1: "a"}, [{"a": {None: 1}}], b"bytes", {"a"}, object(), 10**5000, None],
    ids=["tuple", "number as key", "deep", "bytes", "set", "object", "huge", "nested"],
)
@pytest.mark.parametrize("name", ["token", "city"])
def test_what_would_not_come_back_is_refused(store: EndpointStore, value: object, name: str) -> None:
    if value is None:
        value = [value]
        for _ in range(100):
            value = [value]
    with refused("settings_unstorable"):
        store.add(record(settings={name: value}))
    assert store.all() == []


def test_a_hook_id_is_one_endpoints_alone(store: EndpointStore) -> None:
    one, other = record(hook_id="one"), record(hook_id="other")
    store.add(one)
    store.add(other)
    with refused("hook_id_taken", HookIdTaken):
        store.add(record(hook_id="one"))
    with refused("hook_id_taken", HookIdTaken):
        store.replace(replace(other, hook_id="one"))
    with refused("endpoint_exists", EndpointExists):
        store.add(replace(one, hook_id="third"))
    assert {each.hook_id for each in store.all()} == {"one", "other"}
    store.remove(one.id)
    store.replace(replace(other, hook_id="one"))


def test_what_is_not_there_is_neither_replaced_nor_removed(store: EndpointStore) -> None:
    with refused("endpoint_unknown", EndpointUnknown):
        store.replace(record())
    with refused("endpoint_unknown", EndpointUnknown):
        store.remove("0" * 32)
    assert store.all() == []


def test_only_secrets_are_sealed(place: Place, store: EndpointStore) -> None:
    store.add(record())
    text = written(place)
    assert "s3cret" not in text
    assert '"city": "Paris"' in text
    assert f"1:{OLD.id}:" in text
    if place.file is not None:
        content = b"".join(path.read_bytes() for path in place.file.parent.iterdir())
        assert b"Paris" in content
        assert b"s3cret" not in content


def test_a_secret_cannot_be_moved(place: Place) -> None:
    one, other = record(), record(settings={"token": "other"})
    with opened(place) as store:
        store.add(one)
        store.add(other)
        [(sealed,)] = place.ask(f"SELECT sealed FROM endpoints WHERE id = '{one.id}'")
        place.ask(f"UPDATE endpoints SET sealed = '{sealed}' WHERE id = '{other.id}'")
        with refused("endpoint_damaged"):
            store.all()
        place.ask(f"UPDATE endpoints SET sealed = '{sealed.replace('token', 'city')}' WHERE id = '{one.id}'")
        with refused("endpoint_damaged"):
            store.all()
        store.remove(other.id)
        store.replace(one)
        assert store.all() == [one]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("settings", "{"),
        ("settings", "[]"),
        ("sealed", "[]"),
        ("sealed", '{"a": 1}'),
        ("hook_id", "A B"),
        ("origin", "x"),
        # Whom an endpoint was closed to, it is not opened to.
        ("callers", "{"),
        ("callers", "[]"),
        ("callers", '{"allow_from": ["nowhere"]}'),
        ("callers", '{"allow_form": ["192.0.2.1"]}'),
    ],
)
def test_what_others_have_written_is_not_taken(place: Place, store: EndpointStore, column: str, value: str) -> None:
    store.add(record())
    place.ask(f"UPDATE endpoints SET {column} = '{value}'")
    with refused("endpoint_damaged"):
        store.all()


def test_values_are_in_no_representation_and_no_error(place: Place, store: EndpointStore) -> None:
    one = record(settings={"token": "s3cret", "city": "Par1s"})
    store.add(one)
    assert "s3cret" not in f"{one!r} {one!s} {store!r} {KEYS!r}"
    assert "Par1s" not in f"{one!r} {one!s}"
    place.ask("ALTER TABLE endpoints RENAME TO elsewhere")
    told = []
    for action in (store.add, store.replace):
        with pytest.raises(OperatorError) as caught:
            action(one)
        told += traceback.format_exception(caught.value)
    place.ask("ALTER TABLE elsewhere RENAME TO endpoints")
    for action in (store.add, lambda _: store.add(replace(one, id="0" * 32))):
        with pytest.raises(OperatorError) as caught:
            action(one)
        told += traceback.format_exception(caught.value)
    assert "database_failed" in str(told)
    assert "s3cret" not in str(told)
    assert "Par1s" not in str(told)


@pytest.mark.parametrize("hook_id", ["", "A", "a b", "a/b", "a" * 65, "é", "a\n"])
def test_hook_ids_have_rules(hook_id: str) -> None:
    with refused("hook_id_invalid", UsageError):
        record(hook_id=hook_id)


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\0", "\ud800", "x" * 201])
def test_names_have_rules(name: str) -> None:
    with refused("endpoint_name_invalid", UsageError):
        record(name=name)


@pytest.mark.parametrize("changes", [{"id": "x"}, {"origin": "else"}, {"plugin": "a\0"}])
def test_what_no_operator_chooses_is_checked_too(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        record(**changes)


def test_threads_wait_for_each_other(store: EndpointStore) -> None:
    records = [record(created_at=float(number)) for number in range(16)]
    failures: list[BaseException] = []

    def work(mine: list[EndpointRecord]) -> None:
        try:
            for one in mine:
                store.add(one)
                store.all()
                store.replace(replace(one, name="changed"))
        except BaseException as error:  # noqa: BLE001  told by the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(records[n::4],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.all() == [replace(one, name="changed") for one in records]


def test_two_stores_see_each_others_changes(place: Place) -> None:
    with opened(place) as one, opened(place) as other:
        first = record()
        one.add(first)
        assert other.all() == [first]
        with refused("hook_id_taken"):
            other.add(record(hook_id=first.hook_id))


def test_nobody_else_can_read_the_file(in_file: Place) -> None:
    assert in_file.file is not None
    folder = in_file.file.parent
    for _ in range(2):
        with opened(in_file) as store:
            store.add(record())
            found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
            assert found == dict.fromkeys(["endpointd.db", "endpointd.db-shm", "endpointd.db-wal"], 0o600)
        in_file.file.chmod(0o644)


def test_what_sqlite_is_asked_for(in_file: Place) -> None:
    with opened(in_file) as store, store._database.reading() as connection:
        asked = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys")]
        assert asked == ["wal", 1]
        # 2 is FULL: each commit is on the disk before it returns.
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 10_000


def test_a_server_confirms_what_is_on_its_disk(on_server: Place) -> None:
    [(name,)] = on_server.ask("SELECT current_database()")
    on_server.ask(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with opened(on_server) as store, store._database.reading() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"


def test_a_server_that_was_started_again_is_reached_again(server: postgres.Server, on_server: Place) -> None:
    with opened(on_server) as store:
        one, other = record(created_at=1.0), record(created_at=2.0)
        store.add(one)
        server.stop()
        try:
            for action in (lambda: store.add(other), store.all):
                with refused("database_unreachable"):
                    action()
            with refused("database_unreachable"):
                EndpointStore.open(on_server.url, KEYS)
        finally:
            server.start()
        store.add(other)
        assert store.all() == [one, other]


def test_a_password_is_not_told(server: postgres.Server) -> None:
    for url in (
        f"postgresql://postgres:s3cret@/none?host={server.folder}",
        f"postgresql://postgres@/none?host={server.folder}&password=s3cret",
    ):
        with pytest.raises(OperatorError) as caught:
            EndpointStore.open(url, KEYS)
        assert caught.value.code == "database_unreachable"
        assert "'none'" in caught.value.message
        assert "s3cret" not in "".join(traceback.format_exception(caught.value)).replace(url, "")


def test_other_urls_are_refused() -> None:
    for url in (
        "mysql://me:s3cret@host/x",
        "sqlite://",
        "nothing",
        "postgresql://host:port/x",
        "postgresql+asyncpg://h/x",
    ):
        with refused("database_unsupported", UsageError):
            EndpointStore.open(url, KEYS)


def test_a_path_may_have_any_characters(tmp_path: Path) -> None:
    for number, name in zip(itertools.count(), ("a b.db", "100%.db", "what?.db", "#é.db"), strict=False):
        store = EndpointStore.open(tmp_path / name, Keyring([NEW]))
        store.add(record(name=f"n{number}"))
        store.close()
        again = EndpointStore.open(f"sqlite:///{tmp_path / name}", Keyring([NEW]))
        assert [each.name for each in again.all()] == [f"n{number}"]
        again.close()
        again.close()
        assert (tmp_path / name).stat().st_size > 0


def test_many_changes_are_made_as_one(place: Place) -> None:
    first, second, third = (record(created_at=float(number)) for number in range(3))
    with opened(place) as store:
        store.change([], [first, second, third])
        # Two exchange their hook ids, one goes, and one comes with the hook id that is free then.
        one, two = replace(first, hook_id=second.hook_id), replace(second, hook_id=first.hook_id)
        new = record(created_at=9.0, hook_id=third.hook_id)
        store.change([third.id, "0" * 32], [one, two, new])
        assert store.all() == [one, two, new]
        store.change([], [])
        with refused("hook_id_taken", HookIdTaken):
            store.change([one.id], [record(), record(hook_id=two.hook_id)])
        with refused("settings_unstorable"):
            store.change([one.id], [record(), record(settings={"x": {1: 2}})])
    with opened(place) as store:
        assert store.all() == [one, two, new]
