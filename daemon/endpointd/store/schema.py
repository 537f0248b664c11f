"""The tables as they are now, and the steps by which they came to be so (`migrations/versions/`).

Both are here so that a start at which there is no step to do need not import Alembic: nothing is missing, or all is,
and the tables are made as they are now. A test holds them together.
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
    # Thus nothing can be sealed with a key that was dropped meanwhile.
    Column("key", String(16), ForeignKey("secret_keys.id"), nullable=True),
    Column("enabled", Boolean, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("created_at", Double, nullable=False),
    Column("updated_at", Double, nullable=False),
    # It was added later, so that it is the last one, and has a value for what was there before.
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
"""What lets somebody in over a network. Of the secret there is its hash alone."""

storages = Table(
    "storages",
    metadata,
    Column("plugin", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("entries", Integer, nullable=False),
)
"""How many bytes the values of each plugin have together, and how many there are."""

stored_pieces = Table(
    "stored_pieces",
    metadata,
    Column("plugin", Text, primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, nullable=False),
    Column("data", LargeBinary, nullable=False),
)
"""The values that plugins store, each in pieces, of which number 0 is always there; `size` is that of the whole. A key
is bytes, because PostgreSQL's texts cannot hold every character."""


versions = Table(
    VERSION_TABLE,
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""As Alembic makes it, which has no other than its own: one row, the last step that was done."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One step. `changes` names the tables whose rows it changes or removes: of these a copy is kept."""

    id: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """All steps in their order, and the folder with Alembic's scripts for them. `tables` are what comes of them all,
    of which a new database is made at once; without these it is made step by step."""

    folder: Path
    revisions: Sequence[Revision]
    tables: MetaData | None = None

    def knows(self, version: str) -> bool:
        return any(each.id == version for each in self.revisions)

    def after(self, version: str | None) -> Revision | None:
        """The step that follows a version that is known; None after the last."""
        ids = [each.id for each in self.revisions]
        place = 0 if version is None else ids.index(version) + 1
        return self.revisions[place] if place < len(ids) else None


HISTORY = History(
    Path(__file__).with_name("migrations"), [Revision(f"{number:04}") for number in range(1, 5)], metadata
)
