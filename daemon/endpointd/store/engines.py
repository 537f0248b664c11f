"""Connects to the database: SQLite, in a file that other users cannot read, or PostgreSQL."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from endpointd.errors import OperatorError, UsageError
from endpointd.store.faults import busy, explained, unreachable
from endpointd.store.times import StoreTimes
from endpointd.store.turns import TurnTooLate, turns_of

PATIENCE = 10
"""Seconds to wait while others hold the database."""

_PAUSE = 0.02
_MILLISECONDS = 1000
_LOCK = 0x656E6470
"""The number of PostgreSQL's advisory lock for migrations and changes of keys: arbitrary, so that no other program uses
it."""

_SERVER_OPTIONS = (
    # A confirmed change must be on the disk, whatever the server's default is.
    f"-c synchronous_commit=on -c lock_timeout={PATIENCE * _MILLISECONDS}"
    f" -c statement_timeout={3 * PATIENCE * _MILLISECONDS}"
    f" -c idle_in_transaction_session_timeout={6 * PATIENCE * _MILLISECONDS}"
)


@dataclass(frozen=True, slots=True)
class Database:
    """An open database. `name` is its name in errors, without a password; `file` is None for PostgreSQL."""

    engine: Engine
    name: str
    file: Path | None
    times: StoreTimes = field(default_factory=StoreTimes)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for queries. Raises `OperatorError`."""
        with self.times.measured(), explained(self.name, self.file), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, alone: bool = False) -> Iterator[Connection]:
        """One transaction: durable when the block has ended, rolled back if it raises. Raises `OperatorError`.

        alone: exclude other transactions with `alone`. SQLite has only one writer at a time anyway.
        """
        with (
            self.times.measured(),
            explained(self.name, self.file),
            self._turn(),
            self.engine.begin() as connection,
        ):
            if self.file is not None:
                # IMMEDIATE, because a transaction that begins with reading cannot wait for the write lock later.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif alone:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let the writers of an SQLite file take turns, so that none of them starves."""
        if self.file is None:
            yield
            return
        try:
            with turns_of(self.file).one(PATIENCE):
                yield
        except TurnTooLate:
            raise busy(self.name) from None


def locate(url: str | Path) -> Path | URL:
    """The path of the database's file, or the URL of its server. Raises `UsageError` for any other URL."""
    if isinstance(url, Path):
        return url.absolute()
    if url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return Path(url.removeprefix("sqlite:///")).absolute()
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in ("postgresql", "postgresql+psycopg"):
        raise UsageError(
            "database_unsupported",
            "the URL of the database is neither SQLite's nor PostgreSQL's",
            "give sqlite:////path/to/file or postgresql://user@host/name",
        )
    return parsed.set(drivername="postgresql+psycopg")


def name_of(place: Path | URL) -> str:
    """The name of a database in errors."""
    if isinstance(place, Path):
        return f"the database {place}"
    # Nothing else of the URL: any part of it may be secret, not only the password.
    return f"the database {place.database!r} at {place.host or place.query.get('host', 'localhost')}"


def connect_to_file(file: Path, connections: int = 1) -> Database:
    """Open an SQLite file, which must exist and be in WAL mode (`prepare_file`)."""
    # `URL.create` takes the path as it is; in a URL's text, special characters would be interpreted.
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"timeout": PATIENCE},
        hide_parameters=True,
        **_pool(connections),
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # Only `Database.writing` begins transactions. By default, Python's driver would do so itself.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")

    return Database(engine, name_of(file), file)


def connect_to_server(url: URL, connections: int = 1) -> Database:
    """Open a PostgreSQL database; connections are made when they are first needed."""
    try:
        engine = create_engine(
            url,
            connect_args={
                "connect_timeout": PATIENCE,
                "tcp_user_timeout": 3 * PATIENCE * _MILLISECONDS,
                "options": _SERVER_OPTIONS,
                "application_name": "endpointd",
            },
            hide_parameters=True,
            # Test a pooled connection before it is used: the server may have been restarted.
            pool_pre_ping=True,
            **_pool(connections),
        )
    except ImportError as error:
        raise OperatorError(
            "database_driver_missing",
            "psycopg, which speaks with PostgreSQL, is not installed",
            "pip install 'endpointd[postgresql]'",
        ) from error
    return Database(engine, name_of(url), None)


def _pool(connections: int) -> dict[str, Any]:
    return {"pool_size": connections, "max_overflow": 0, "pool_timeout": PATIENCE}


def prepare_file(file: Path) -> None:
    """Create the SQLite file if it is missing, switch it to WAL mode, and make it unreadable for other users."""
    name = name_of(file)
    with explained(name, file):
        # SQLite creates the -wal and -shm files with the same mode as this one.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for path in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            if path.exists() and path.stat().st_mode & 0o777 != 0o600:
                path.chmod(0o600)
        with closing(sqlite3.connect(file, timeout=PATIENCE)) as connection:
            if _wal_mode(connection) != "wal":
                raise unreachable(name, "its file system lacks the shared memory that SQLite's WAL needs")


def _wal_mode(connection: sqlite3.Connection) -> str:
    """Switch to WAL mode and return the resulting mode. Retries while another process does the same: here SQLite does
    not wait by itself."""
    latest = time.monotonic() + PATIENCE
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > latest:
                raise
        time.sleep(_PAUSE)
