"""`endpointd secrets rotate`: lets the running daemon rotate the key, or rotates it itself if none runs."""

from pathlib import Path
from typing import Any

from endpointd.admin.location import find_state
from endpointd.admin.sockets import StateLock
from endpointd.cli.configuration import load
from endpointd.cli.control import connected
from endpointd.cli.owners import expect_owner
from endpointd.endpoints.secret_keys import Rotated
from endpointd.errors import OperatorError
from endpointd.sealing.keyfile import KeyFile
from endpointd.settings.settings import Settings
from endpointd.storage import DATABASE, key_file, key_rotation, open_store


def rotate_secrets(state: Path | None, config: Path | None) -> Any:  # noqa: ANN401 - JSON
    """Rotate the key; returns the document of the API in both cases. Raises `OperatorError`."""
    try:
        with connected(state, config) as client:
            return client.rotate_secrets()
    except OperatorError as error:
        if error.code != "daemon_absent":
            raise
        settings = _settings(state, config)
        if not _has_database(settings):
            raise
    return _rotate_here(settings).as_dict()


def add_key(path: Path) -> None:
    """Add a new key as the first one to a key file. Only the file's owner may do so. Raises `OperatorError`."""
    file = KeyFile(path)
    if file.read() is None:
        raise OperatorError("secret_key_missing", f"there is no key file {path}", "name the one that is in use")
    expect_owner(path)
    with file.changing():
        file.add()


def _settings(state: Path | None, config: Path | None) -> Settings:
    """The settings of the daemon, as far as a command can know them."""
    flags = {"state": find_state(state, config)} | ({} if config is None else {"config": config})
    return load(flags).settings


def _has_database(settings: Settings) -> bool:
    """Whether there is a database; this command must not create one."""
    return settings.state.is_dir() and (settings.database is not None or (settings.state / DATABASE).exists())


def _rotate_here(settings: Settings) -> Rotated:
    file = key_file(settings)
    expect_owner(settings.state)
    if file.path.exists():
        expect_owner(file.path)
    lock = StateLock(settings.state.absolute())
    try:
        if file.read() is None:
            raise OperatorError(
                "secret_key_missing",
                f"the key file {file.path} is not there",
                "name the daemon's with --config or ENDPOINTD_SECRET_KEY, or start the daemon and try again",
            )
        store = open_store(settings)
        try:
            rotate, path = key_rotation(settings, store)
            return Rotated(rotate(), path)
        finally:
            store.close()
    finally:
        lock.release()
