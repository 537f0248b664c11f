"""Whose files a command may write."""

import os
import pwd
from pathlib import Path

from endpointd.errors import OperatorError


def expect_owner(path: Path) -> None:
    """What somebody else writes, even root, would be theirs, and the daemon could not read it any more. Raises
    `OperatorError`."""
    try:
        owner = path.stat().st_uid
    except OSError as error:
        raise OperatorError(
            "state_unusable", f"{path} cannot be used: {error.strerror}", "name another one with --state"
        ) from error
    if owner != os.geteuid():
        raise OperatorError("state_foreign", f"{path} is another user's", f"do it as the user {_called(owner)}")


def _called(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
