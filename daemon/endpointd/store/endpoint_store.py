"""The store of endpoints. Blocking, for a thread; one at a time, so that several threads wait for each other."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, RowMapping, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from endpointd.errors import OperatorError, UsageError
from endpointd.sealing.keyfile import KeyFile
from endpointd.sealing.keyring import Keyring
from endpointd.store.documents import damaged, keep, kept_rules, rules_of, settings_of
from endpointd.store.engines import Database, connect_to_file, connect_to_server, locate, prepare_file
from endpointd.store.errors import EndpointExists, EndpointUnknown, HookIdTaken
from endpointd.store.inspection import inspect_file
from endpointd.store.key_table import admit, expect_all, forget_others, hold, register, uses_others
from endpointd.store.migrating import migrate
from endpointd.store.records import EndpointRecord
from endpointd.store.schema import HISTORY, History, endpoints
from endpointd.store.times import StoreTimes
from endpointd.store.token_store import TokenStore

_PLAIN = ("id", "hook_id", "plugin", "name", "enabled", "origin", "created_at", "updated_at")
"""What a row has as the record has it."""


class EndpointStore:
    """Endpoints in a database, with their secrets sealed. `tokens` is the store of tokens in the same database.

    When a method returns, its change is durable. Every error is an `OperatorError`, after which nothing was changed,
    with one exception: if the connection to PostgreSQL breaks just as a change is confirmed, it is not known after
    `database_unreachable` whether the change was made. Call `all` to find out.
    """

    def __init__(self, database: Database, keys: Keyring) -> None:
        """Use `open` instead."""
        self._database = database
        self.tokens = TokenStore(database)
        self._keys = keys

    @classmethod
    def open(
        cls,
        url: str | Path,
        keys: Keyring | KeyFile,
        history: History = HISTORY,
        times: StoreTimes | None = None,
    ) -> "EndpointStore":
        """Open the store in the file or at the URL. Creates it if it does not exist, and migrates it to this version.

        Creates a key file if there is none and no secret is stored. Changes nothing in a database that is damaged,
        newer, or of another program, or whose secrets are sealed with other keys.
        """
        database = _connect(locate(url), history)
        database = replace(database, times=times or database.times)
        try:
            # Checked before the tables are changed, and again (`admit`) with a lock against changes of the keys.
            expect_all(database, keys, history)
            migrate(database, history)
            with database.writing(alone=True) as connection:
                hold(database, connection)
                ring = admit(connection, keys)
        except BaseException:
            database.engine.dispose()
            raise
        return cls(database, ring)

    def close(self) -> None:
        """Close all connections. May be called more than once."""
        self._database.engine.dispose()

    def all(self) -> list[EndpointRecord]:
        """Every endpoint, the oldest first."""
        with self._database.reading() as connection:
            ordered = select(endpoints).order_by(endpoints.c.created_at, endpoints.c.id)
            # Fetch all rows, so that the connection is not kept open while they are processed.
            rows = connection.execute(ordered).mappings().all()
        return [_record(row, self._keys) for row in rows]

    def add(self, record: EndpointRecord) -> None:
        """Store a new endpoint. Raises `HookIdTaken` or `EndpointExists`."""
        with self._changing(record) as connection:
            connection.execute(insert(endpoints).values(_row(record, self._keys)))

    def replace(self, record: EndpointRecord) -> None:
        """Replace the endpoint with the record's id. Raises `EndpointUnknown` or `HookIdTaken`."""
        with self._changing(record) as connection:
            row = _row(record, self._keys)
            if connection.execute(update(endpoints).where(endpoints.c.id == record.id).values(row)).rowcount == 0:
                raise _unknown(record.id)

    def remove(self, id: str) -> None:  # noqa: A002  the record's own word
        """Delete an endpoint. Raises `EndpointUnknown`."""
        with self._database.writing() as connection:
            if connection.execute(delete(endpoints).where(endpoints.c.id == id)).rowcount == 0:
                raise _unknown(id)

    def change(self, removed: Iterable[str], records: Iterable[EndpointRecord]) -> None:
        """Delete the endpoints with the ids `removed`, and add or replace `records`, all in one transaction. Raises
        `HookIdTaken`."""
        records = list(records)
        with self._database.writing() as connection:
            # Delete first, so that the hook ids are free.
            for id in (*removed, *(record.id for record in records)):  # noqa: A001
                connection.execute(delete(endpoints).where(endpoints.c.id == id))
            for record in records:
                with _refusing(record):
                    connection.execute(insert(endpoints).values(_row(record, self._keys)))

    def uses_other_keys(self) -> bool:
        """Whether a secret is sealed with another key than the first."""
        with self._database.reading() as connection:
            return uses_others(connection, self._keys)

    def rotate(self, keys: Keyring) -> int:
        """Seal all secrets with the first of `keys`, in one transaction; returns the number of endpoints with secrets.

        `keys` must be on the disk before, together with the old keys until this has returned.
        """
        with self._database.writing(alone=True) as connection:
            hold(self._database, connection)
            both = keys.joined(self._keys)
            rows = connection.execute(select(endpoints).where(endpoints.c.key.is_not(None))).mappings().all()
            records = [_record(row, both) for row in rows]
            register(connection, keys)
            for record in records:
                connection.execute(update(endpoints).where(endpoints.c.id == record.id).values(_row(record, keys)))
            forget_others(connection, {keys.first})
        self._keys = keys
        return len(records)

    @contextmanager
    def _changing(self, record: EndpointRecord) -> Iterator[Connection]:
        with _refusing(record), self._database.writing() as connection:
            yield connection


def _connect(place: Path | URL, history: History) -> Database:
    if isinstance(place, URL):
        return connect_to_server(place)
    inspect_file(place, history)
    prepare_file(place)
    return connect_to_file(place)


def _row(record: EndpointRecord, keys: Keyring) -> dict[str, Any]:
    kept = keep(record, keys)
    row = {name: getattr(record, name) for name in _PLAIN}
    return row | {
        "settings": kept.settings,
        "sealed": kept.sealed,
        "key": kept.key,
        "callers": kept_rules(record.callers),
    }


def _record(row: RowMapping, keys: Keyring) -> EndpointRecord:
    settings, secrets = settings_of(row["id"], row["settings"], row["sealed"], keys)
    callers = rules_of(row["id"], row["callers"])
    try:
        plain = {name: row[name] for name in _PLAIN}
        return EndpointRecord(settings=settings, secrets=secrets, callers=callers, **plain)
    except (ValueError, UsageError) as error:
        raise damaged(row["id"]) from error


@contextmanager
def _refusing(record: EndpointRecord) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise _refusal(record, str(error.orig).splitlines()[0].lower()) from None


def _refusal(record: EndpointRecord, reason: str) -> OperatorError:
    """What a broken constraint means; `reason` names it, in the words of SQLite or PostgreSQL."""
    if "foreign key" in reason:
        return OperatorError(
            "secret_key_wrong",
            "the keys of the database have been changed meanwhile",
            "start the daemon again with the key file that has the new key",
        )
    if "hook_id" in reason:
        return HookIdTaken(
            "hook_id_taken", f"another endpoint has the hook id {record.hook_id!r}", "choose another one"
        )
    return EndpointExists("endpoint_exists", f"there is an endpoint {record.id} already", "give it another id")


def _unknown(id: str) -> EndpointUnknown:  # noqa: A002
    return EndpointUnknown("endpoint_unknown", f"there is no endpoint {id!r}", "it may have been removed meanwhile")
