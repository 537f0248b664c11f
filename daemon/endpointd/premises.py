"""Checks the preconditions of the daemon's start: its state directory, and the user that plugins run as."""

import os
from pathlib import Path

import structlog

from endpointd.errors import OperatorError
from endpointd.settings.settings import Settings
from endpointd.supervisor.users import find_account

RESTORING = "restoring"
"""The name of a file in the state directory that exists while a backup is being restored. If it is there, the content
of the directory is incomplete."""

log = structlog.get_logger()


def check_user(settings: Settings) -> None:
    """Raise `OperatorError` if the user or group that plugins are to run as does not exist."""
    find_account(settings.user, settings.group)
    if os.geteuid() == 0 and settings.user is None:
        log.warning("plugins.run_as_root", remedy="name another user for them with the setting user")


def make_state(state: Path) -> None:
    """Create the state directory if it is missing. Raises `OperatorError` if it cannot be created or used."""
    try:
        # Traversable for all, because workers of another user run releases in it. Secret files have modes of their own.
        state.mkdir(mode=0o711, parents=True, exist_ok=True)
        writable = os.access(state, os.W_OK | os.X_OK)
    except OSError as error:
        raise _state_error(state, error.strerror or str(error)) from error
    if not writable:
        raise _state_error(state, "it may not be written to")
    for folder in (state / "releases", state / "environments"):
        # These folders are unreadable if, for example, the daemon was run as root before.
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
