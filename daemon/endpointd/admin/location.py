"""Finds the state directory of the daemon that a command is meant for."""

import os
from contextlib import suppress
from pathlib import Path

from endpointd.admin.sockets import LOCK
from endpointd.errors import UsageError
from endpointd.sealing.keyfile import CREDENTIAL
from endpointd.service.units import CONFIG, STATE, UNIT_DIRECTORY
from endpointd.service.units import SERVICE as UNIT
from endpointd.settings.file import read_settings_file
from endpointd.settings.names import variable_of

SERVE_DEFAULT = Path("state")
SERVICE = Path(STATE)
SERVICE_CONFIG = Path(CONFIG)
SERVICE_UNIT = Path(UNIT_DIRECTORY, UNIT)


def find_state(state: Path | None, config: Path | None) -> Path:
    """The first of: `state`; the environment variable; the setting in the configuration file (`config`, or the one that
    the environment names); `./state` if a daemon has run there; the service's state directory. Raises `UsageError` if
    the configuration file cannot be read.
    """
    if state is not None:
        return state
    named = os.environ.get(variable_of("state"))
    if named:
        return Path(named)
    file = config or os.environ.get(variable_of("config"))
    values = read_settings_file(Path(file), frozenset({"state"})) if file else {}
    if "state" in values:
        return Path(str(values["state"]))
    # Look for the lock and not the socket, because it stays when the daemon has ended: some commands need no daemon.
    return SERVE_DEFAULT if (SERVE_DEFAULT / LOCK).exists() else state_of_service()


def has_credential(state: Path) -> bool:
    """Whether the daemon with this state directory is the service and gets its key as a credential from systemd."""
    with suppress(OSError):
        return state.absolute() == state_of_service() and CREDENTIAL in SERVICE_UNIT.read_text(encoding="utf-8")
    return False


def state_of_service() -> Path:
    """The state directory of the service, according to its configuration file; the default one if that file cannot be
    read."""
    with suppress(UsageError):
        return Path(str(read_settings_file(SERVICE_CONFIG, frozenset({"state"})).get("state", SERVICE)))
    return SERVICE
