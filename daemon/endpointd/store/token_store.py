"""The store of tokens, in the same database as the endpoints. Blocking, to be used in a thread."""

from dataclasses import asdict

from sqlalchemy import RowMapping, delete, insert, select
from sqlalchemy.exc import IntegrityError

from endpointd.errors import OperatorError
from endpointd.store.engines import Database
from endpointd.store.errors import TokenNameTaken, TokenUnknown
from endpointd.store.schema import tokens
from endpointd.store.token_records import TokenRecord


class TokenStore:
    """Gives the same guarantees as `EndpointStore`, which opens and closes the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[TokenRecord]:
        """Every token, the oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(select(tokens).order_by(tokens.c.created_at, tokens.c.id)).mappings().all()
        return [_record(row) for row in rows]

    def add(self, record: TokenRecord) -> None:
        """Store a new token. Raises `TokenNameTaken`."""
        try:
            with self._database.writing() as connection:
                connection.execute(insert(tokens).values(asdict(record)))
        except IntegrityError:
            # It must be the name: ids and hashes are random.
            raise TokenNameTaken(
                "token_exists", f"there is a token {record.name!r} already", "choose another name, or revoke it first"
            ) from None

    def remove(self, id: str) -> None:  # noqa: A002  the record's own word
        """Delete a token. Raises `TokenUnknown`."""
        with self._database.writing() as connection:
            if connection.execute(delete(tokens).where(tokens.c.id == id)).rowcount == 0:
                raise TokenUnknown("token_unknown", f"there is no token {id!r}", "it may have been revoked meanwhile")


def _record(row: RowMapping) -> TokenRecord:
    try:
        return TokenRecord(**row)
    except ValueError as error:
        raise OperatorError(
            "token_damaged",
            f"what is kept for the token {row['id']} was changed by others, and cannot be read",
            "put back a copy of the database, or remove the token from it and make it anew",
        ) from error
