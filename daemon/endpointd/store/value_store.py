"""The values that plugins store, in the database (implements `sessions.storage.Values`). Blocking and thread-safe.

A value is stored in pieces, one row each, so that neither a row nor a statement is ever large.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import URL, Connection, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from endpointd.sessions.storage import MAX_KEYS, QuotaExceeded, Value
from endpointd.store.engines import Database, connect_to_file, connect_to_server, locate
from endpointd.store.schema import storages, stored_pieces
from endpointd.store.times import StoreTimes

PIECE = 256 * 1024
"""The most bytes in one row."""

CONNECTIONS = 4


class ValueStore:
    """Raises only `OperatorError` and `QuotaExceeded`; nothing was changed then. The tables must exist already."""

    def __init__(self, database: Database) -> None:
        """Use `open` instead."""
        self._database = database

    @classmethod
    def open(cls, url: str | Path, times: StoreTimes | None = None) -> "ValueStore":
        """Open the values in a database that `EndpointStore.open` has prepared."""
        place = locate(url)
        if isinstance(place, URL):
            database = connect_to_server(place, CONNECTIONS)
        else:
            database = connect_to_file(place, CONNECTIONS)
        return cls(replace(database, times=times or database.times))

    def close(self) -> None:
        """Close all connections. May be called more than once."""
        self._database.engine.dispose()

    def get(self, plugin: str, key: bytes, at_most: int) -> Value | None:
        with self._database.reading() as connection:
            size = _size(connection, plugin, key)
            if size is None or size > at_most:
                return None if size is None else Value(size, None)
            # A single statement sees one state of the table, so the value is consistent even if it is replaced now.
            ours = (stored_pieces.c.plugin == plugin) & (stored_pieces.c.key == key)
            rows = connection.execute(select(stored_pieces.c.data).where(ours).order_by(stored_pieces.c.number))
            pieces = [bytes(data) for data in rows.scalars()]
        return Value(sum(map(len, pieces)), pieces) if pieces else None

    def set(self, plugin: str, key: bytes, pieces: list[bytes], quota: int) -> None:
        size = sum(map(len, pieces))
        with self._database.writing() as connection:
            held = _hold(self._database, connection, plugin)
            before = _size(connection, plugin, key)
            if before is not None:
                held = held.without(before)
            if held.size + size > quota or held.keys >= MAX_KEYS:
                raise QuotaExceeded(max(0, quota - held.size), MAX_KEYS - held.keys)
            _remove(connection, plugin, key)
            rows = [
                {"plugin": plugin, "key": key, "number": number, "size": size, "data": data}
                for number, data in enumerate(_cut(pieces))
            ]
            connection.execute(insert(stored_pieces), rows)
            _note(connection, plugin, Held(held.size + size, held.keys + 1))

    def delete(self, plugin: str, key: bytes) -> bool:
        with self._database.writing() as connection:
            held = _hold(self._database, connection, plugin)
            size = _size(connection, plugin, key)
            if size is None:
                return False
            _remove(connection, plugin, key)
            _note(connection, plugin, held.without(size))
            return True

    def exists(self, plugin: str, key: bytes) -> bool:
        with self._database.reading() as connection:
            return _size(connection, plugin, key) is not None


@dataclass(frozen=True, slots=True)
class Held:
    """How much a plugin has stored: the bytes of all values, and the number of keys."""

    size: int
    keys: int

    def without(self, size: int) -> "Held":
        """The same without one value of `size` bytes."""
        return Held(self.size - size, self.keys - 1)


def _hold(database: Database, connection: Connection, plugin: str) -> Held:
    """How much the plugin has stored. Locks its values against other changes until the transaction ends."""
    dialect = sqlite if database.file is not None else postgresql
    new = dialect.insert(storages).values(plugin=plugin, size=0, entries=0).on_conflict_do_nothing()
    connection.execute(new)
    ours = select(storages.c.size, storages.c.entries).where(storages.c.plugin == plugin).with_for_update()
    size, keys = connection.execute(ours).one()
    return Held(size, keys)


def _note(connection: Connection, plugin: str, held: Held) -> None:
    connection.execute(update(storages).where(storages.c.plugin == plugin).values(size=held.size, entries=held.keys))


def _size(connection: Connection, plugin: str, key: bytes) -> int | None:
    first = (stored_pieces.c.plugin == plugin) & (stored_pieces.c.key == key) & (stored_pieces.c.number == 0)
    return connection.execute(select(stored_pieces.c.size).where(first)).scalar()


def _remove(connection: Connection, plugin: str, key: bytes) -> None:
    ours = (stored_pieces.c.plugin == plugin) & (stored_pieces.c.key == key)
    connection.execute(delete(stored_pieces).where(ours))


def _cut(pieces: list[bytes]) -> list[bytes]:
    """The value in pieces of at most `PIECE` bytes; an empty value has one empty piece."""
    cut = [piece[start : start + PIECE] for piece in pieces for start in range(0, len(piece), PIECE)]
    return cut or [b""]
