"""Changing the key: a new one is added, everything is sealed with it, the old ones are dropped.

Whoever is killed in between leaves a key file with all keys that something is sealed with; doing it again goes on.
"""

from endpointd.sealing.keyfile import KeyFile
from endpointd.store.endpoint_store import EndpointStore


def rotate_keys(store: EndpointStore, file: KeyFile) -> int:
    """How many endpoints have secrets. Raises `OperatorError`; the secrets can be read all the same.

    The keys that systemd gives are somebody else's to change. When a new one stands first among them, everything is
    sealed with that.
    """
    if file.is_credential and store.uses_other_keys() and (given := file.read()) is not None:
        return store.rotate(given)
    with file.changing():
        count = store.rotate(file.add())
        file.drop_old()
    return count
