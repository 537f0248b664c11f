"""What a worker is started with: its command line and its environment."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from endpointd.supervisor.keeper import TEMPLATE
from endpointd.supervisor.limits import ProcessLimits
from endpointd.supervisor.reaper import MARKS
from endpointd.supervisor.users import Account

INHERITED = frozenset(
    {"HOME", "LANG", "LANGUAGE", "PATH", "SSL_CERT_DIR", "SSL_CERT_FILE", "TMPDIR", "TZ"}
    | {"http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"}
)
"""The only variables of the host that a plugin sees, besides those that begin with `LC_`: how this machine speaks and
how it reaches others. Whatever else is in the host's environment may be a secret."""

HEEDED_AT_ONCE = frozenset({"GLIBC_TUNABLES", "LANG", "LANGUAGE", "OPENSSL_CONF"})
HEEDED_PREFIXES = ("LC_", "LD_", "MALLOC_", "PYTHON")
"""Variables that the loader, the C library and the interpreter read once, when a program begins."""

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


def template_command() -> list[str]:
    """The same for the process that workers are forked from."""
    return [*command()[:-1], NO_LIMITS.argument(MARKS + TEMPLATE), "template"]


def environment(extra: Mapping[str, str], account: Account | None = None) -> dict[str, str]:
    """What is inherited, who the worker runs as if that is another user, and `extra`, which wins."""
    inherited = {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith("LC_")}
    return {**inherited, **(account.environment if account is not None else {}), **extra}


def can_be_forked(words: Sequence[str], variables: Mapping[str, str]) -> bool:
    """Whether a worker with this command and environment may be forked from the template: it is for the same
    interpreter, and no variable is another that is only heeded when a program is executed."""
    return list(words[:-1]) == command()[:-1] and _of_execution(variables) == _of_execution(environment({}))


def _of_execution(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in variables.items() if name in HEEDED_AT_ONCE or name.startswith(HEEDED_PREFIXES)
    }
