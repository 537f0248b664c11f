"""What a worker is started with: its command line and its environment."""

import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from endpointd.supervisor.limits import ProcessLimits
from endpointd.supervisor.reaper import MARKS
from endpointd.supervisor.users import Account

INHERITED = frozenset(
    {"HOME", "LANG", "LANGUAGE", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ"}
    | {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)
"""The only variables of the host that a plugin sees, besides those that begin with `LC_`: how this machine speaks and
how it reaches others. Whatever else is in the host's environment may be a secret."""

NO_LIMITS = ProcessLimits()


@cache
def bootstrap() -> Path:
    """The file that starts a worker. It is found, not imported: the host never runs the worker's code."""
    spec = find_spec("endpointd_worker")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("bootstrap.py")


def command(limits: ProcessLimits = NO_LIMITS, python: Path | None = None) -> list[str]:
    """Isolated from the host's environment variables and working directory, and with UTF-8 whatever the locale says;
    on the host's own interpreter when no other is given.

    The limits go along as an argument, because the worker has to apply them itself.
    """
    return [str(python or sys.executable), "-I", "-X", "utf8", str(bootstrap()), limits.argument(MARKS)]


def environment(extra: Mapping[str, str], account: Account | None = None) -> dict[str, str]:
    """What is inherited, who the worker runs as if that is another user, and `extra`, which wins."""
    inherited = {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith("LC_")}
    return {**inherited, **(account.environment if account is not None else {}), **extra}
