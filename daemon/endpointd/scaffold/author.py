"""Who the author of a new plugin is when nobody has said."""

import getpass
import subprocess
from collections.abc import Iterator

from endpointd.errors import UsageError
from endpointd.scaffold.names import MAX_AUTHOR, fitted

_GIT = ["git", "config", "user.name"]
_GIT_SECONDS = 5.0


def guess_author() -> tuple[str, str]:
    """A name that an author may have, and where it is from. UsageError: nothing is known that could be one."""
    for name, origin in _candidates():
        author = fitted(name, MAX_AUTHOR)
        if author:
            return author, origin
    raise UsageError("author_unknown", "neither git nor the system knows your name", "give it with --author")


def _candidates() -> Iterator[tuple[str, str]]:
    yield _git_name(), "git's user.name"
    yield _login_name(), "your login name"


def _git_name() -> str:
    """Empty when there is no git, or when it knows no name."""
    try:
        done = subprocess.run(_GIT, stdin=subprocess.DEVNULL, capture_output=True, timeout=_GIT_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


def _login_name() -> str:
    """Empty when the user has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
