"""The database and the keys that the settings name. Blocking, for a thread."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from endpointd.sealing.keyfile import KeyFile, find_key_file
from endpointd.settings import Settings

if TYPE_CHECKING:
    from endpointd.store.endpoint_store import EndpointStore
    from endpointd.store.times import StoreTimes
    from endpointd.store.value_store import ValueStore

DATABASE = "endpointd.db"
"""In the state directory, when the settings name no other."""


def key_file(settings: Settings) -> KeyFile:
    return find_key_file(settings.secret_key, settings.state.absolute(), os.environ)


def open_store(settings: Settings, times: "StoreTimes | None" = None) -> "EndpointStore":
    """Raises `OperatorError`."""
    # A third of a second, of which the event loop is spared most.
    from endpointd.store.endpoint_store import EndpointStore

    return EndpointStore.open(_place(settings), key_file(settings), times=times)


def open_values(settings: Settings, times: "StoreTimes | None" = None) -> "ValueStore":
    """What plugins store, in the same database, which `open_store` has prepared. Raises `OperatorError`."""
    from endpointd.store.value_store import ValueStore

    return ValueStore.open(_place(settings), times)


def key_rotation(settings: Settings, store: "EndpointStore") -> tuple[Callable[[], int], str]:
    """What seals every secret in the store with a new key and tells how many endpoints have one; and the key's file."""

    def rotate() -> int:
        from endpointd.store.rotation import rotate_keys

        return rotate_keys(store, file)

    file = key_file(settings)
    return rotate, str(file.path)


def place_of(settings: Settings) -> Path | None:
    """The database's file; None when it is a server's. Raises `UsageError`."""
    from endpointd.store.engines import locate

    place = locate(_place(settings))
    return place if isinstance(place, Path) else None


def _place(settings: Settings) -> Path | str:
    return settings.state.absolute() / DATABASE if settings.database is None else settings.database.url
