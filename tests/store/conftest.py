"""A database of each kind, and what is needed to look behind the store's back."""

import itertools
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from endpointd.errors import OperatorError
from endpointd.sealing.keyfile import KeyFile
from endpointd.sealing.keyring import KEY_BYTES, Key, Keyring
from endpointd.store.endpoint_store import EndpointStore
from endpointd.store.naming import new_hook_id, new_id
from endpointd.store.records import EndpointRecord
from endpointd.store.schema import HISTORY, History
from endpointd.store.token_records import TokenRecord
from support import postgres

OLD, NEW = Key(b"o" * KEY_BYTES), Key(b"n" * KEY_BYTES)
KEYS = Keyring([OLD])

_numbers = itertools.count()


@dataclass(frozen=True)
class Place:
    """Where a database is, and a way to it that is not the store's."""

    url: str
    file: Path | None = None

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows that a statement gives, if it gives any; what it does is committed."""
        if self.file is not None:
            with closing(sqlite3.connect(self.file)) as connection, connection:
                return connection.execute(statement).fetchall()
        with psycopg.connect(self.url) as server:
            cursor = server.execute(statement)
            return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    if reason := postgres.missing():
        pytest.skip(f"{reason}: PostgreSQL is NOT TESTED")
    with postgres.serving() as server:
        yield server


@pytest.fixture
def on_server(server: postgres.Server) -> Iterator[Place]:
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    yield Place(server.url(name))
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


@pytest.fixture
def in_file(tmp_path: Path) -> Place:
    file = tmp_path / "endpointd.db"
    return Place(f"sqlite:///{file}", file)


@pytest.fixture(params=["in_file", "on_server"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def store(place: Place) -> Iterator[EndpointStore]:
    with opened(place) as store:
        yield store


@contextmanager
def opened(place: Place, keys: Keyring | KeyFile = KEYS, history: History = HISTORY) -> Iterator[EndpointStore]:
    store = EndpointStore.open(place.url, keys, history)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def refused(code: str, kind: type[OperatorError] = OperatorError) -> Iterator[None]:
    with pytest.raises(kind) as caught:
        yield
    assert caught.value.code == code


def record(**changes: object) -> EndpointRecord:
    made = EndpointRecord(
        id=new_id(),
        hook_id=new_hook_id(),
        plugin="acme/duck",
        name="Duck",
        settings={"token": "s3cret", "city": "Paris"},
        secrets=frozenset({"token"}),
        enabled=True,
        origin="operator",
        created_at=1.5,
        updated_at=2.25,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def token(**changes: object) -> TokenRecord:
    made = TokenRecord(new_id(), f"token-{next(_numbers)}", secrets.token_hex(32), 1.5, None)
    return replace(made, **changes)  # type: ignore[arg-type]
