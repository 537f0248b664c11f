"""Migrates the tables of a database to this version, step by step; each step is one transaction.

In a new database the tables are created as they are now, in one step.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import structlog
from sqlalchemy import Connection, MetaData

from endpointd.store.engines import Database
from endpointd.store.inspection import version_of
from endpointd.store.schema import History, Revision, versions

log = structlog.get_logger()


def migrate(database: Database, history: History) -> None:
    """Run the missing steps. If several processes do so at once, each step is still run only once.

    A step and the record that it was done are one transaction, so an interrupted step has changed nothing.
    """
    began_at = _version(database, history)
    if began_at is None and history.tables is not None:
        _make(database, history, history.tables)
    while history.after(_version(database, history)) is not None:
        with database.writing(alone=True) as connection:
            # Another process may have done it meanwhile.
            step = history.after(version_of(database, connection, history))
            if step is not None:
                if began_at is not None and step.changes:
                    _keep_copy(database, connection, step)
                _run(connection, history.folder, step)
                log.info("database.migrated", version=step.id)


def _make(database: Database, history: History, tables: MetaData) -> None:
    with database.writing(alone=True) as connection:
        # Another process may have done it meanwhile.
        if version_of(database, connection, history) is None:
            tables.create_all(connection, checkfirst=False)
            versions.create(connection, checkfirst=True)
            connection.execute(versions.insert().values(version_num=history.revisions[-1].id))
            log.info("database.made", version=history.revisions[-1].id)


def _version(database: Database, history: History) -> str | None:
    with database.reading() as connection:
        return version_of(database, connection, history)


def _run(connection: Connection, folder: Path, step: Revision) -> None:
    # Imported here because it is rarely needed and takes a third of a second.
    from alembic import command
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    command.upgrade(config, step.id)


def _keep_copy(database: Database, connection: Connection, step: Revision) -> None:
    """Keep a copy of the tables that a step changes: a file `….before-<version>`, or tables `…_before_<version>`."""
    if database.file is not None:
        _copy_file(database.file, database.file.with_name(f"{database.file.name}.before-{step.id}"))
        return
    for table in step.changes:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}_before_{step.id}")
        connection.exec_driver_sql(f"CREATE TABLE {table}_before_{step.id} AS TABLE {table}")


def _copy_file(file: Path, copy: Path) -> None:
    """Copy an SQLite file; the copy gets its name only when it is complete and on the disk. The caller holds the write
    lock."""
    new = copy.with_name(f".{copy.name}.new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(new)) as target:
            source.backup(target)
            # Without WAL, so that the copy is a single file.
            target.execute("PRAGMA journal_mode=DELETE")
        os.fsync(fd)
    finally:
        os.close(fd)
    new.replace(copy)
    directory = os.open(copy.parent, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
