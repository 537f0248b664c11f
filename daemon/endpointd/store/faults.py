"""Turns the errors of SQLAlchemy, SQLite and PostgreSQL into errors for an operator. None contains a stored value."""

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from endpointd.errors import OperatorError

_SQLITE = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_BUSY: "busy",
    sqlite3.SQLITE_LOCKED: "busy",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
    sqlite3.SQLITE_CANTOPEN: "unreachable",
    sqlite3.SQLITE_PERM: "unreachable",
    sqlite3.SQLITE_READONLY: "unreachable",
}
"""The kind of fault by SQLite's primary error code, which is the low byte of an extended code."""

_POSTGRESQL = {
    "08": "unreachable",  # connection
    "28": "unreachable",  # authentication
    "3D": "unreachable",  # no such database
    "57P": "unreachable",  # shutting down
    "53100": "full",
    "53": "unreachable",  # too many connections, no memory
    "55P03": "busy",  # a lock
    "57014": "busy",  # statement_timeout
    "40": "busy",  # deadlock
    "XX00": "corrupt",
    "42501": "unreachable",  # no permission
    "25006": "unreachable",  # read only
}
"""The kind of fault by the beginning of PostgreSQL's SQLSTATE; the longest match counts."""


@contextmanager
def explained(database: str, file: Path | None = None) -> Iterator[None]:
    """Turn errors of the database into `OperatorError`. An IntegrityError passes, because only the caller knows what
    the violated constraint means."""
    try:
        yield
    except IntegrityError:
        raise
    except PoolTimeout as error:
        raise busy(database) from error
    except DBAPIError as error:
        raise _error(database, _kind(error.orig, file), _reason(error.orig)) from error
    except SQLAlchemyError as error:
        raise _error(database, "other", type(error).__name__) from error
    except sqlite3.Error as error:
        raise _error(database, _kind(error, file), _reason(error)) from error
    except OSError as error:
        kind = "full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "unreachable"
        raise _error(database, kind, error.strerror or str(error)) from error


def _kind(error: BaseException | None, file: Path | None) -> str:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        # If the disk is full, SQLite may fail to extend its shared memory (-shm), and reports an I/O error.
        if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and file is not None and _is_full(file):
            return "full"
        return _SQLITE.get(code, "other")
    state = getattr(error, "sqlstate", None)
    if state is None:
        # psycopg has no SQLSTATE if the connection has failed or could not be made.
        return "unreachable"
    fitting = [begin for begin in _POSTGRESQL if state.startswith(begin)]
    return _POSTGRESQL[max(fitting, key=len)] if fitting else "other"


def _is_full(file: Path) -> bool:
    try:
        found = os.statvfs(file.parent)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < 64 * 1024


def _reason(error: BaseException | None) -> str:
    """The first line of the error's text: the other lines of PostgreSQL may quote values."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _error(database: str, kind: str, reason: str) -> OperatorError:
    match kind:
        case "full":
            return OperatorError("database_full", f"there is no room for {database}: {reason}", "make room on its disk")
        case "busy":
            return busy(database)
        case "corrupt":
            return corrupt(database, reason)
        case "unreachable":
            return unreachable(database, reason)
    return OperatorError(
        "database_failed", f"{database} refused: {reason}", "see to the database; nothing was changed by this"
    )


def busy(database: str) -> OperatorError:
    return OperatorError(
        "database_busy", f"{database} is held by somebody else", "end what holds it, or try again; nothing was changed"
    )


def unreachable(database: str, reason: str) -> OperatorError:
    return OperatorError(
        "database_unreachable",
        f"{database} cannot be used: {reason}",
        "correct that, or name another one with --database",
    )


def corrupt(database: str, reason: str) -> OperatorError:
    return OperatorError(
        "database_corrupt", f"{database} is damaged: {reason}", "put back a copy of it; it was left as it is"
    )


def foreign(database: str) -> OperatorError:
    return OperatorError(
        "database_foreign", f"{database} is another program's", "name another one with --database; it was left as it is"
    )


def newer(database: str, version: str) -> OperatorError:
    return OperatorError(
        "database_newer",
        f"{database} was used by a later endpointd: it has version {version}",
        "run that one, or put back a backup from before it; it was left as it is",
    )
