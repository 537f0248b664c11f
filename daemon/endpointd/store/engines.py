"""Reaching the database: SQLite in a file that nobody else can read, or PostgreSQL."""

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
"""Seconds to wait for others that hold the database."""

_PAUSE = 0.02
_MILLISECONDS = 1000
_LOCK = 0x656E6470
"""The number of the lock in PostgreSQL that those take who migrate or change keys; any that others have not."""

_SERVER_OPTIONS = (
    # A change is on the disk when it is confirmed, whatever the server's own default.
    f"-c synchronous_commit=on -c lock_timeout={PATIENCE * _MILLISECONDS}"
    f" -c statement_timeout={3 * PATIENCE * _MILLISECONDS}"
    f" -c idle_in_transaction_session_timeout={6 * PATIENCE * _MILLISECONDS}"
)


@dataclass(frozen=True, slots=True)
class Database:
    """`name` is how errors call it, without a password; `file` is None for PostgreSQL."""

    engine: Engine
    name: str
    file: Path | None
    times: StoreTimes = field(default_factory=StoreTimes)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        with self.times.measured(), explained(self.name, self.file), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, alone: bool = False) -> Iterator[Connection]:
        """One transaction, which is durable when the block has ended, and was nothing when it is left by an error.

        alone: others who ask for that wait until it is over. SQLite has one writer at a time anyway.
        """
        with (
            self.times.measured(),
            explained(self.name, self.file),
            self._turn(),
            self.engine.begin() as connection,
        ):
            if self.file is not None:
                # At once: a transaction that first reads cannot wait for the right to write.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            elif alone:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Many who write must not keep one from ever writing."""
        if self.file is None:
            yield
            return
        try:
            with turns_of(self.file).one(PATIENCE):
                yield
        except TurnTooLate:
            raise busy(self.name) from None


def locate(url: str | Path) -> Path | URL:
    """The file that the database is, or the URL of its server. UsageError: neither."""
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
    if isinstance(place, Path):
        return f"the database {place}"
    # What else is in the URL may be secret, not only where a password stands.
    return f"the database {place.database!r} at {place.host or place.query.get('host', 'localhost')}"


def connect_to_file(file: Path, connections: int = 1) -> Database:
    """The file must be there, and in WAL mode."""
    # What is handed to SQLAlchemy as a URL's part is not read as a URL.
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        connect_args={"timeout": PATIENCE},
        hide_parameters=True,
        **_pool(connections),
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        # Transactions begin where `Database.writing` says, also before tables are changed.
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")

    return Database(engine, name_of(file), file)


def connect_to_server(url: URL, connections: int = 1) -> Database:
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
            # The server may have been started again since the last change.
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
    """Make the file unless it is there; see that it is in WAL mode, and that nobody else can read it."""
    name = name_of(file)
    with explained(name, file):
        # SQLite gives the files beside it the rights that this one has.
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        for path in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm"))):
            if path.exists() and path.stat().st_mode & 0o777 != 0o600:
                path.chmod(0o600)
        with closing(sqlite3.connect(file, timeout=PATIENCE)) as connection:
            if _wal_mode(connection) != "wal":
                raise unreachable(name, "its file system lacks the shared memory that SQLite's WAL needs")


def _wal_mode(connection: sqlite3.Connection) -> str:
    """For this SQLite does not wait by itself, when another start does the same."""
    latest = time.monotonic() + PATIENCE
    while True:
        try:
            return str(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > latest:
                raise
        time.sleep(_PAUSE)
