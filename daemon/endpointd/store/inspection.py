"""Looking at a database before anything is changed in it: is it whole, ours, and of a version that we know?"""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect

from endpointd.store.engines import PATIENCE, Database, name_of
from endpointd.store.faults import corrupt, explained, foreign, newer, unreachable
from endpointd.store.schema import VERSION_TABLE, History, metadata


def inspect_file(file: Path, history: History) -> None:
    """Raises `OperatorError` unless the file can be used; one that is missing or empty can. It is not written to."""
    if not file.exists() or file.stat().st_size == 0:
        return
    name = name_of(file)
    if not file.is_file():
        raise unreachable(name, "it is no file")
    with explained(name, file):
        try:
            _inspect(file, "ro", name, history)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
                raise
            # A change was interrupted that must be taken back first, in the old journal mode.
            _inspect(file, "rw", name, history)


def _inspect(file: Path, mode: str, name: str, history: History) -> None:
    uri = f"{file.as_uri()}?mode={mode}"
    with closing(sqlite3.connect(uri, timeout=PATIENCE, uri=True)) as connection:
        [(verdict,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            # One line of several, without what is in the rows.
            raise corrupt(name, str(verdict).splitlines()[-1])
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if VERSION_TABLE in tables:
            rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
            _version(name, [row[0] for row in rows], history)
        elif tables:
            raise foreign(name)


def version_of(database: Database, connection: Connection, history: History) -> str | None:
    """The version of the tables; None when there are none. Raises `OperatorError` when they are not ours or newer."""
    # Asked for at once: between two questions another start may make them all.
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE in tables:
        rows = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")
        return _version(database.name, list(rows.scalars()), history)
    # A server's database may well hold tables of others beside ours.
    if not tables.isdisjoint(metadata.tables):
        raise foreign(database.name)
    return None


def _version(name: str, rows: list[str], history: History) -> str | None:
    if len(rows) > 1:
        raise corrupt(name, "it has several versions")
    if rows and not history.knows(rows[0]):
        raise newer(name, rows[0])
    return rows[0] if rows else None
