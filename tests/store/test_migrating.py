"""Tables come to be what this version needs: once, whole or not at all, and nothing that is not ours is touched."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, insert

from endpointd.callers.rules import CallerRules, CorsRule
from endpointd.store.endpoint_store import EndpointStore, _connect, _row
from endpointd.store.engines import locate
from endpointd.store.inspection import version_of
from endpointd.store.schema import HISTORY, VERSION_TABLE, History, endpoints, metadata
from store import migrations_with_changes
from store.conftest import KEYS, Place, opened, record, refused, token
from store.migrations_with_changes import NOW, SECOND_ID, THIRD_ID
from support.dying import killed_at_every_step

ONE = record()


@pytest.fixture
def longer(tmp_path_factory: pytest.TempPathFactory) -> History:
    return migrations_with_changes.make(tmp_path_factory.mktemp("longer"))


@pytest.fixture
def filled(place: Place) -> Place:
    with opened(place) as store:
        store.add(ONE)
    return place


def version(place: Place) -> str:
    [(found,)] = place.ask(f"SELECT version_num FROM {VERSION_TABLE}")
    return str(found)


def test_the_declaration_and_the_scripts_agree(place: Place) -> None:
    config = Config()
    config.set_main_option("script_location", str(HISTORY.folder))
    config.set_main_option("path_separator", "os")
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    assert [script.revision for script in reversed(scripts)] == [each.id for each in HISTORY.revisions]
    with opened(place) as store, store._database.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert version(place) == HISTORY.revisions[-1].id


def described(place: Place) -> list[tuple[object, ...]]:
    """All that a database knows of its tables. SQLite keeps the statements, to which a column that comes later is added
    with other blanks."""
    if place.file is not None:
        rows = place.ask("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name")
        return [(*row, " ".join((sql or "").split())) for *row, sql in rows]
    columns = "table_name, column_name, ordinal_position, column_default, is_nullable, data_type, udt_name"
    lengths = "character_maximum_length, numeric_precision, is_identity"
    constraints = "conrelid::regclass::text, conname, pg_get_constraintdef(oid)"
    return [
        *place.ask(f"SELECT {columns}, {lengths} FROM information_schema.columns WHERE table_schema = 'public'"),
        *place.ask(f"SELECT {constraints} FROM pg_constraint WHERE connamespace = 'public'::regnamespace"),
        *place.ask("SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"),
    ]


def test_a_new_database_is_what_all_the_steps_make(place: Place) -> None:
    with opened(place):
        at_once, made = described(place), version(place)
    if place.file is not None:
        place.file.unlink()
    else:
        place.ask("DROP SCHEMA public CASCADE")
        place.ask("CREATE SCHEMA public")
    with opened(place, history=History(HISTORY.folder, HISTORY.revisions)):
        assert sorted(map(str, described(place))) == sorted(map(str, at_once))
        assert version(place) == made
    assert len(at_once) > len(metadata.tables)


def test_missing_steps_are_done_and_a_copy_is_kept_before_rows_change(filled: Place, longer: History) -> None:
    with opened(filled, history=longer):
        pass
    assert version(filled) == THIRD_ID
    assert filled.ask("SELECT name, colour FROM endpoints") == [("changed", "red")]
    if filled.file is None:
        assert filled.ask(f"SELECT name, colour FROM endpoints_before_{THIRD_ID}") == [("Duck", "grey")]
        return
    copy = filled.file.with_name(f"endpointd.db.before-{THIRD_ID}")
    assert copy.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in copy.parent.iterdir()) == ["endpointd.db", copy.name]
    # What the later version has left can be used again by the version that it was.
    older = History(longer.folder, longer.revisions[:-1])
    with opened(Place(f"sqlite:///{copy}", copy), history=older) as store:
        assert store.all() == [ONE]


def test_what_an_older_version_has_kept_is_there_and_tokens_can_be_added(place: Place) -> None:
    with opened(place, history=History(HISTORY.folder, HISTORY.revisions[:1])) as store:
        # As that version has written it.
        row = {name: value for name, value in _row(ONE, KEYS).items() if name != "callers"}
        with store._database.writing() as connection:
            connection.execute(insert(endpoints).values(row))
    assert version(place) == "0001"
    with opened(place) as store:
        assert store.all() == [ONE]
        guarded = replace(ONE, callers=CallerRules(("192.0.2.0/24",), "10/s", CorsRule(("*",))))
        store.replace(guarded)
        assert store.all() == [guarded]
        store.tokens.add(token())
        assert len(store.tokens.all()) == 1


def test_no_copy_is_made_of_a_new_database(place: Place, longer: History) -> None:
    with opened(place, history=longer):
        pass
    assert version(place) == THIRD_ID
    if place.file is not None:
        assert [path.name for path in place.file.parent.iterdir()] == ["endpointd.db"]


def test_a_step_that_is_killed_in_its_middle_was_not_begun(filled: Place, longer: History) -> None:
    told, tell = os.pipe()
    hold, held = os.pipe()
    program = (
        "import sys; from pathlib import Path; from endpointd.store.endpoint_store import EndpointStore;"
        "from endpointd.store.schema import HISTORY, History, Revision;"
        "from endpointd.sealing.keyring import Key, Keyring;"
        f"steps = [*HISTORY.revisions, Revision('{SECOND_ID}'), Revision('{THIRD_ID}', ('endpoints',))];"
        "EndpointStore.open(sys.argv[1], Keyring([Key(b'o' * 32)]), History(Path(sys.argv[2]), steps))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program, filled.url, str(longer.folder)],
        pass_fds=(tell, hold),
        env=os.environ | {"TOLD": str(tell), "HELD": str(hold)},
    )
    assert os.read(told, 1) == b"!"
    if filled.file is None:
        assert filled.ask("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted") == [(1,)]
    child.send_signal(signal.SIGKILL)
    child.wait()
    for fd in (told, tell, hold, held):
        os.close(fd)
    assert version(filled) == SECOND_ID
    assert filled.ask("SELECT name, colour FROM endpoints") == [("Duck", "grey")]
    with opened(filled, history=longer):
        assert version(filled) == THIRD_ID
    assert filled.ask("SELECT name, colour FROM endpoints") == [("changed", "red")]


def test_a_death_at_any_step_is_no_hindrance(filled: Place, longer: History) -> None:
    def start() -> None:
        with opened(filled, history=longer):
            pass

    seen = set()
    for _ in killed_at_every_step(start):
        rows = filled.ask("SELECT * FROM endpoints")
        seen.add((version(filled), rows[0][3], rows[0][-1]))
    assert version(filled) == THIRD_ID
    assert {each[0] for each in seen} >= {NOW, SECOND_ID}
    assert seen <= {(NOW, "Duck", "{}"), (SECOND_ID, "Duck", "grey"), (THIRD_ID, "changed", "red")}


def test_of_many_starts_at_once_one_migrates(place: Place) -> None:
    failures: list[BaseException] = []
    gate = threading.Barrier(6)

    def start() -> None:
        gate.wait()
        try:
            EndpointStore.open(place.url, KEYS).close()
        except BaseException as error:  # noqa: BLE001  told by the test
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert version(place) == NOW


def test_one_that_is_made_while_it_is_looked_at_is_not_anothers(place: Place) -> None:
    database = _connect(locate(place.url), HISTORY)
    made: list[Place] = []

    def make(*_: object) -> None:
        if not made:
            made.append(place)
            EndpointStore.open(place.url, KEYS).close()

    event.listen(database.engine, "after_cursor_execute", make)
    try:
        with database.reading() as connection:
            assert version_of(database, connection, HISTORY) is None
            assert made
            assert version_of(database, connection, HISTORY) == HISTORY.revisions[-1].id
    finally:
        database.engine.dispose()


def untouched(file: Path, code: str) -> None:
    before = {path.name: path.read_bytes() for path in file.parent.iterdir() if not path.name.endswith("-shm")}
    mode = file.stat().st_mode
    with refused(code):
        EndpointStore.open(file, KEYS)
    after = {path.name: path.read_bytes() for path in file.parent.iterdir() if not path.name.endswith("-shm")}
    assert {name: content for name, content in after.items() if content or name in before} == before
    assert file.stat().st_mode == mode


def test_a_newer_file_is_left_as_it_is(in_file: Place, longer: History) -> None:
    assert in_file.file is not None
    with opened(in_file, history=longer):
        # While a later version has it open, and after.
        untouched(in_file.file, "database_newer")
    untouched(in_file.file, "database_newer")


def test_a_newer_server_is_left_as_it_is(on_server: Place, longer: History) -> None:
    with opened(on_server) as store:
        store.add(ONE)
    with opened(on_server, history=longer):
        pass
    before = on_server.ask("SELECT * FROM endpoints")
    with refused("database_newer"):
        EndpointStore.open(on_server.url, KEYS)
    assert on_server.ask("SELECT * FROM endpoints") == before


def test_others_tables_are_left_as_they_are(in_file: Place, on_server: Place) -> None:
    assert in_file.file is not None
    in_file.ask("CREATE TABLE cats (name TEXT)")
    untouched(in_file.file, "database_foreign")
    on_server.ask("CREATE TABLE endpoints (name TEXT)")
    with refused("database_foreign"):
        EndpointStore.open(on_server.url, KEYS)
    assert on_server.ask("SELECT count(*) FROM endpoints") == [(0,)]
    assert on_server.ask(f"SELECT to_regclass('{VERSION_TABLE}')") == [(None,)]


@pytest.mark.parametrize("damage", ["text", "cut", "page", "head"])
def test_a_damaged_file_is_left_as_it_is(in_file: Place, damage: str) -> None:
    assert in_file.file is not None
    with opened(in_file) as store:
        for number in range(50):
            store.add(record(created_at=float(number)))
    content = bytearray(in_file.file.read_bytes())
    if damage == "text":
        content = bytearray(b"this is no database" * 100)
    elif damage == "cut":
        del content[-5000:]
    elif damage == "page":
        content[-4096 * 3 : -4096 * 2] = b"\xff" * 4096
    else:
        content[:16] = b"SQLite format 9\0"
    in_file.file.write_bytes(content)
    untouched(in_file.file, "database_corrupt")


def test_what_was_interrupted_in_the_old_journal_mode_is_taken_back(in_file: Place) -> None:
    """A copy that was put back is no longer in WAL mode; a change of it may have been interrupted."""
    assert in_file.file is not None
    with opened(in_file) as store:
        store.add(ONE)
    in_file.ask("PRAGMA journal_mode=DELETE")
    child = os.fork()
    if child == 0:
        with closing(sqlite3.connect(in_file.file)) as connection:
            connection.execute("PRAGMA cache_size=1")
            connection.execute("PRAGMA cache_spill=1")
            connection.execute("UPDATE endpoints SET name = 'lost'")
            for _ in range(300):
                connection.execute("INSERT INTO secret_keys VALUES (hex(randomblob(8)), hex(randomblob(2000)))")
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert in_file.file.with_name("endpointd.db-journal").exists()
    with opened(in_file) as store:
        assert store.all() == [ONE]
    assert in_file.ask("PRAGMA journal_mode") == [("wal",)]


def test_an_empty_file_is_a_new_database(in_file: Place) -> None:
    assert in_file.file is not None
    in_file.file.touch()
    with opened(in_file) as store:
        store.add(ONE)
    assert version(in_file) == NOW


def test_a_place_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "none" / "endpointd.db", tmp_path / "folder"):
        with refused("database_unreachable"):
            EndpointStore.open(path, KEYS)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
