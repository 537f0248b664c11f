"""Rotates the key: adds a new one, seals all secrets with it, and drops the old ones.

If it is interrupted, the key file still contains all keys with which secrets are sealed, and it can be run again.
"""

from endpointd.sealing.keyfile import KeyFile
from endpointd.store.endpoint_store import EndpointStore


def rotate_keys(store: EndpointStore, file: KeyFile) -> int:
    """Rotate the key; returns the number of endpoints that have secrets. After an `OperatorError` all secrets can still
    be read.

    A key file that is a credential of systemd cannot be changed here. If an operator has put a new key first into it,
    all secrets are sealed with that one.
    """
    if file.is_credential and store.uses_other_keys() and (given := file.read()) is not None:
        return store.rotate(given)
    with file.changing():
        count = store.rotate(file.add())
        file.drop_old()
    return count
