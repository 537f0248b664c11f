"""The tables as they are now, and the list of the migrations that led to them (`migrations/versions/`).

Both are here so that Alembic is only imported when an old database has to be migrated: a new one gets the tables as
they are now. A test checks that both ways give the same tables.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
)

VERSION_TABLE = "endpointd_version"

metadata = MetaData()

secret_keys = Table(
    "secret_keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("proof", Text, nullable=False),
)
"""The keys that secrets may be sealed with. `proof` is a known text, sealed with the key."""

endpoints = Table(
    "endpoints",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("hook_id", String(64), nullable=False, unique=True),
    Column("plugin", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    # The foreign key prevents that a secret is stored that was sealed with a key which was dropped meanwhile.
    Column("key", String(16), ForeignKey("secret_keys.id"), nullable=True),
    Column("enabled", Boolean, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    # Added by a migration, so it is the last column, and has a default for older rows.
    Column("callers", Text, nullable=False, server_default="{}"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", Double, nullable=False),
    Column("expires_at", Double, nullable=True),
)
"""Tokens for the administration over a network. Only the hash of a token's secret is stored."""

storages = Table(
    "storages",
    metadata,
    Column("plugin", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("entries", Integer, nullable=False),
)
"""For each plugin: the bytes of all its values, and their number."""

stored_pieces = Table(
    "stored_pieces",
    metadata,
    Column("plugin", Text, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""The values that plugins store, each in pieces. Piece number 0 always exists; `size` is that of the whole value. Keys
are bytes, because PostgreSQL's texts cannot contain every character."""


versions = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""Alembic's own table, which has one row: the last migration that was done."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One migration. `changes` are the tables whose rows it changes or removes, of which a copy is kept."""

    id: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """All migrations in order, and the folder with their Alembic scripts. `tables` is the result of all of them, from
    which a new database is created; without it, a new database is created by running all migrations."""

    folder: Path
    revisions: Sequence[Revision]
    tables: MetaData | None = None

    def knows(self, version: str) -> bool:
        return any(each.id == version for each in self.revisions)

    def after(self, version: str | None) -> Revision | None:
        """The migration that follows a known version; None after the last."""
        ids = [each.id for each in self.revisions]
        place = 0 if version is None else ids.index(version) + 1
        return self.revisions[place] if place < len(ids) else None


HISTORY = History(
    Path(__file__).with_name("migrations"), [Revision(f"{number:04}") for number in range(1, 5)], metadata
)
