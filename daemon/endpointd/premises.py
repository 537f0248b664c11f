"""What has to be so before the daemon starts: its state directory, and the user that plugins run as."""

import os
from pathlib import Path

import structlog

from endpointd.errors import OperatorError
from endpointd.settings import Settings
from endpointd.supervisor.users import find_account

RESTORING = "restoring"
"""In the state directory while a backup is put back, and no longer: with it nothing there is as it should be."""

log = structlog.get_logger()


def check_user(settings: Settings) -> None:
    """Raises `OperatorError` when there is no such user as plugins are to run as."""
    find_account(settings.user, settings.group)
    if os.geteuid() == 0 and settings.user is None:
        log.warning("plugins.run_as_root", remedy="name another user for them with the setting user")


def make_state(state: Path) -> None:
    """Raises `OperatorError` when the directory cannot be made, or used."""
    try:
        # Workers of another user run what is in it, and what is secret in it has a mode of its own.
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        writable = os.access(state, os.W_OK | os.X_OK)
    except OSError as error:
        raise _state_error(state, error.strerror or str(error)) from error
    if not writable:
        raise _state_error(state, "it may not be written to")
    for folder in (state / "releases", state / "environments"):
        # Whoever has run the daemon as root, say, has left what is root's alone.
        if folder.is_dir() and not os.access(folder, os.R_OK | os.X_OK):
            reason = f"the folder {folder.name} in it may not be read; let it belong to the daemon's user"
            raise _state_error(state, reason)
    if (state / RESTORING).exists():
        raise OperatorError(
            "restore_unfinished",
            f"a restore into {state} was interrupted, so that only a part is there",
            "run 'endpointd restore' again, which does all of it",
        )


def _state_error(state: Path, reason: str) -> OperatorError:
    return OperatorError(
        "state_unusable", f"the state directory {state} cannot be used: {reason}", "name another one with --state"
    )
