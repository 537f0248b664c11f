"""Checks a database before anything is changed in it: that it is intact, ours, and of a known version."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, inspect

from endpointd.store.engines import PATIENCE, Database, name_of
from endpointd.store.faults import corrupt, explained, foreign, newer, unreachable
from endpointd.store.schema import VERSION_TABLE, History, metadata


def inspect_file(file: Path, history: History) -> None:
    """Raise `OperatorError` if the file cannot be used. A missing or empty one can be. Does not write to it."""
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
            # There is an interrupted transaction (of the mode before WAL), which SQLite must roll back first.
            _inspect(file, "rw", name, history)


def _inspect(file: Path, mode: str, name: str, history: History) -> None:
    uri = f"{file.as_uri()}?mode={mode}"
    with closing(sqlite3.connect(uri, timeout=PATIENCE, uri=True)) as connection:
        [(verdict,)] = connection.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            # Only the last line, which does not quote the content of rows.
            raise corrupt(name, str(verdict).splitlines()[-1])
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if VERSION_TABLE in tables:
            rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall()
            _version(name, [row[0] for row in rows], history)
        elif tables:
            raise foreign(name)


def version_of(database: Database, connection: Connection, history: History) -> str | None:
    """The version of the tables; None if there are none. Raises `OperatorError` if they are not ours or are newer."""
    # One query for all tables: between two queries another process might create them.
    tables = set(inspect(connection).get_table_names())
    if VERSION_TABLE in tables:
        rows = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")
        return _version(database.name, list(rows.scalars()), history)
    # A server's database may contain tables of other programs beside ours.
    if not tables.isdisjoint(metadata.tables):
        raise foreign(database.name)
    return None


def _version(name: str, rows: list[str], history: History) -> str | None:
    if len(rows) > 1:
        raise corrupt(name, "it has several versions")
    if rows and not history.knows(rows[0]):
        raise newer(name, rows[0])
    return rows[0] if rows else None
