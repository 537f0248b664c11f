"""Refuses to write files for another user."""

import os
import pwd
from pathlib import Path

from endpointd.errors import OperatorError


def expect_owner(path: Path) -> None:
    """Raise `OperatorError` unless this user owns `path`: files that another user writes, even root, would belong to
    that user, and the daemon could not read them any more."""
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
