"""The command line and the environment variables that a worker is started with."""

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
"""The only variables of the host that a plugin sees, besides those that begin with `LC_`: they concern the language and
the network of this machine. All others may be secrets."""

HEEDED_AT_ONCE = frozenset({"GLIBC_TUNABLES", "LANG", "LANGUAGE", "OPENSSL_CONF"})
HEEDED_PREFIXES = ("LC_", "LD_", "MALLOC_", "PYTHON")
"""Variables that the dynamic linker, the C library and the interpreter only read when a program starts."""

NO_LIMITS = ProcessLimits()


@cache
def bootstrap() -> Path:
    """The path of the script that starts a worker. The host does not import it, because it never runs the worker's
    code."""
    spec = find_spec("endpointd_worker")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("bootstrap.py")


def command(limits: ProcessLimits = NO_LIMITS, python: Path | None = None) -> list[str]:
    """The command line of a worker. The interpreter is `python`, or the host's own; it ignores environment variables
    and the working directory, and uses UTF-8 whatever the locale is.

    The limits are an argument, because the worker applies them itself.
    """
    return [str(python or sys.executable), "-I", "-X", "utf8", str(bootstrap()), limits.argument(MARKS)]


def template_command() -> list[str]:
    """The command line of the template, from which workers are forked."""
    return [*command()[:-1], NO_LIMITS.argument(MARKS + TEMPLATE), "template"]


def environment(extra: Mapping[str, str], account: Account | None = None) -> dict[str, str]:
    """The environment variables of a worker: the inherited ones, those of its account if it has one, and `extra`. Later
    ones override earlier ones."""
    inherited = {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith("LC_")}
    return {**inherited, **(account.environment if account is not None else {}), **extra}


def can_be_forked(words: Sequence[str], variables: Mapping[str, str]) -> bool:
    """Whether a worker with this command and environment can be forked from the template: the interpreter must be the
    same, and so must all variables that are only read when a program starts."""
    return list(words[:-1]) == command()[:-1] and _of_execution(variables) == _of_execution(environment({}))


def _of_execution(variables: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in variables.items() if name in HEEDED_AT_ONCE or name.startswith(HEEDED_PREFIXES)
    }
