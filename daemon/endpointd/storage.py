"""Opens the database and the key file that the settings name. Blocking, to be used in a thread."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from endpointd.sealing.keyfile import KeyFile, find_key_file
from endpointd.settings.settings import Settings

if TYPE_CHECKING:
    from endpointd.store.endpoint_store import EndpointStore
    from endpointd.store.times import StoreTimes
    from endpointd.store.value_store import ValueStore

DATABASE = "endpointd.db"
"""The database's file in the state directory, if the settings name no other database."""


def key_file(settings: Settings) -> KeyFile:
    return find_key_file(settings.secret_key, settings.state.absolute(), os.environ)


def open_store(settings: Settings, times: "StoreTimes | None" = None) -> "EndpointStore":
    """Open the store of endpoints and tokens. Raises `OperatorError`."""
    # Imported here, in the caller's thread, because it takes a third of a second.
    from endpointd.store.endpoint_store import EndpointStore

    return EndpointStore.open(_place(settings), key_file(settings), times=times)


def open_values(settings: Settings, times: "StoreTimes | None" = None) -> "ValueStore":
    """Open the values that plugins store, in the same database, which `open_store` must have prepared. Raises
    `OperatorError`."""
    from endpointd.store.value_store import ValueStore

    return ValueStore.open(_place(settings), times)


def key_rotation(settings: Settings, store: "EndpointStore") -> tuple[Callable[[], int], str]:
    """A function that seals all secrets with a new key and returns the number of endpoints that have any; and the path
    of the key file."""

    def rotate() -> int:
        from endpointd.store.rotation import rotate_keys

        return rotate_keys(store, file)

    file = key_file(settings)
    return rotate, str(file.path)


def place_of(settings: Settings) -> Path | None:
    """The path of the database's file; None if it is on a server. Raises `UsageError`."""
    from endpointd.store.engines import locate

    place = locate(_place(settings))
    return place if isinstance(place, Path) else None


def _place(settings: Settings) -> Path | str:
    return settings.state.absolute() / DATABASE if settings.database is None else settings.database.url
