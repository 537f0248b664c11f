"""The table of the keys with which secrets are sealed: checks that we have them all, and records new ones.

For each key the table has a proof: a known text, sealed with the key.
"""

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select

from endpointd.errors import OperatorError
from endpointd.sealing.keyfile import KeyFile
from endpointd.sealing.keyring import Keyring, KeyUnknown, SealBroken
from endpointd.store.engines import Database
from endpointd.store.inspection import version_of
from endpointd.store.schema import History, endpoints, secret_keys

_PROOF = "endpointd"


def expect_all(database: Database, keys: Keyring | KeyFile, history: History) -> None:
    """Raise `OperatorError` if secrets are stored that these keys cannot unseal. Changes nothing."""
    with database.reading() as connection:
        if version_of(database, connection, history) is not None:
            _known(connection, keys)


def admit(connection: Connection, keys: Keyring | KeyFile) -> Keyring:
    """Check the keys as `expect_all` does, and record the first as the one to seal with; returns the keys.

    The result is valid until the transaction ends. Creates a missing key file. Removes keys from the table that are not
    in the ring, and with which nothing is sealed.
    """
    ring = _known(connection, keys)
    if ring is None:
        assert isinstance(keys, KeyFile)
        ring = keys.make()
    # All keys that are used are in the ring (`_known`).
    forget_others(connection, ring.ids)
    register(connection, ring)
    return ring


def hold(database: Database, connection: Connection) -> None:
    """Lock the endpoints against changes until the transaction ends. (A change that then seals with a key that was
    removed fails, because of the foreign key.)"""
    if database.file is None:
        connection.exec_driver_sql("LOCK TABLE endpoints IN SHARE ROW EXCLUSIVE MODE")


def register(connection: Connection, ring: Keyring) -> None:
    """Record the first key, so that secrets may be sealed with it."""
    if connection.execute(select(secret_keys.c.id).where(secret_keys.c.id == ring.first)).first() is None:
        proof = ring.seal(_PROOF, "key", ring.first)
        connection.execute(insert(secret_keys).values(id=ring.first, proof=proof))


def forget_others(connection: Connection, ids: Collection[str]) -> None:
    """Remove all other keys, with which nothing must be sealed; from now on nothing can be."""
    connection.execute(delete(secret_keys).where(secret_keys.c.id.not_in(ids)))


def _known(connection: Connection, keys: Keyring | KeyFile) -> Keyring | None:
    """The keys, checked to unseal all that is sealed; None if the key file is missing and nothing is sealed. Raises
    `OperatorError`."""
    ring = keys.read() if isinstance(keys, KeyFile) else keys
    used = _used(connection)
    if ring is None:
        if used:
            assert isinstance(keys, KeyFile)
            raise OperatorError(
                "secret_key_missing",
                f"there is no key file {keys.path}, and secrets in the database are sealed with a key",
                "put the file back, or name it with --secret-key",
            )
        return None
    for key_id, proof in used.items():
        _expect(ring, key_id, proof)
    return ring


def uses_others(connection: Connection, ring: Keyring) -> bool:
    """Whether a secret is sealed with another key than the first."""
    return bool(_used(connection).keys() - {ring.first})


def _used(connection: Connection) -> dict[str, str]:
    """The ids of the keys with which secrets are sealed, and their proofs."""
    using = select(endpoints.c.key).where(endpoints.c.key.is_not(None))
    rows = connection.execute(select(secret_keys.c.id, secret_keys.c.proof).where(secret_keys.c.id.in_(using)))
    return {row.id: row.proof for row in rows}


def _expect(ring: Keyring, key_id: str, proof: str) -> None:
    try:
        if ring.unseal(proof, "key", key_id).rstrip() == _PROOF:
            return
    except (KeyUnknown, SealBroken):
        pass
    raise OperatorError(
        "secret_key_wrong",
        f"secrets in the database are sealed with the key {key_id}, which is not in the key file",
        "put the key file back that belongs to this database, or name it with --secret-key",
    )
