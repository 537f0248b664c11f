"""Which state directory the daemon is looked for in."""

import os
from contextlib import suppress
from pathlib import Path

from endpointd.admin.sockets import LOCK
from endpointd.errors import UsageError
from endpointd.sealing.keyfile import CREDENTIAL
from endpointd.service.units import CONFIG, STATE, UNIT_DIRECTORY
from endpointd.service.units import SERVICE as UNIT
from endpointd.setting_names import variable_of
from endpointd.settings_file import read_settings_file

SERVE_DEFAULT = Path("state")
SERVICE = Path(STATE)
SERVICE_CONFIG = Path(CONFIG)
SERVICE_UNIT = Path(UNIT_DIRECTORY, UNIT)


def find_state(state: Path | None, config: Path | None) -> Path:
    """`state` if it is given; else what the environment says, else the configuration file that is given or that the
    environment names; else `./state` where a daemon has been; else the service's, whose configuration may say.
    UsageError: the file is unreadable.
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
    # The lock stays when a daemon has ended, for commands that work without one; the socket does not.
    return SERVE_DEFAULT if (SERVE_DEFAULT / LOCK).exists() else state_of_service()


def has_credential(state: Path) -> bool:
    """Whether the daemon with this state is the service, and gets its key from systemd."""
    with suppress(OSError):
        return state.absolute() == state_of_service() and CREDENTIAL in SERVICE_UNIT.read_text(encoding="utf-8")
    return False


def state_of_service() -> Path:
    """Who may not read the service's file, or nobody may, finds it where it is put by itself."""
    with suppress(UsageError):
        return Path(str(read_settings_file(SERVICE_CONFIG, frozenset({"state"})).get("state", SERVICE)))
    return SERVICE
