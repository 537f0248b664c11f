"""Which state directory the daemon is looked for in."""

import os
from pathlib import Path

from endpointd.admin.sockets import SOCKET
from endpointd.settings import variable_of
from endpointd.settings_file import read_settings_file

SERVE_DEFAULT = Path("state")
SERVICE = Path("/var/lib/endpointd")


def find_state(state: Path | None, config: Path | None) -> Path:
    """`state` if it is given; else what the environment says, else the configuration file that is given or that the
    environment names; else `./state` where a daemon has been; else the service's. UsageError: the file is unreadable.
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
    return SERVE_DEFAULT if (SERVE_DEFAULT / SOCKET).exists() else SERVICE
