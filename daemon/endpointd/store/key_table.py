"""Which keys the secrets of a database are sealed with, and whether we have them."""

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
    """Raises `OperatorError` when secrets are stored that these keys do not unseal. Nothing is made or changed."""
    with database.reading() as connection:
        if version_of(database, connection, history) is not None:
            _known(connection, keys)


def admit(connection: Connection, keys: Keyring | KeyFile) -> Keyring:
    """The keys, the first of which may be sealed with from now on; keys that are strange and unused may no more.

    A missing key file is made; as `expect_all`, but that it holds until the transaction ends.
    """
    ring = _known(connection, keys)
    if ring is None:
        assert isinstance(keys, KeyFile)
        ring = keys.make()
    # Those that are used are in the ring.
    forget_others(connection, ring.ids)
    register(connection, ring)
    return ring


def hold(database: Database, connection: Connection) -> None:
    """Let nobody change endpoints until the transaction ends; who then seals with a forgotten key is refused."""
    if database.file is None:
        connection.exec_driver_sql("LOCK TABLE endpoints IN SHARE ROW EXCLUSIVE MODE")


def register(connection: Connection, ring: Keyring) -> None:
    """From now on something may be sealed with the first key."""
    if connection.execute(select(secret_keys.c.id).where(secret_keys.c.id == ring.first)).first() is None:
        proof = ring.seal(_PROOF, "key", ring.first)
        connection.execute(insert(secret_keys).values(id=ring.first, proof=proof))


def forget_others(connection: Connection, ids: Collection[str]) -> None:
    """From now on nothing may be sealed with other keys than these; nothing is."""
    connection.execute(delete(secret_keys).where(secret_keys.c.id.not_in(ids)))


def _known(connection: Connection, keys: Keyring | KeyFile) -> Keyring | None:
    """The ring, which unseals all that is sealed; None for a file that is missing while nothing is."""
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
    """Whether something is sealed with another key than the first."""
    return bool(_used(connection).keys() - {ring.first})


def _used(connection: Connection) -> dict[str, str]:
    """The keys that something is sealed with, and their proofs."""
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
