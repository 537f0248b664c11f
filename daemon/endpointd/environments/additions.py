"""Decides which packages the worker needs in addition to the plugin's own, and where they are installed. Pure.

The worker must use the same werkzeug as the plugin, whose code creates responses with it. So werkzeug is added only if
the plugin has none, and a version that the worker cannot work with is an error. msgpack is used by the worker alone: if
the plugin's version is unsuitable, the worker gets another one in a folder that the plugin does not see.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from endpointd.environments.failures import EnvironmentFailed

WERKZEUG = Requirement("werkzeug>=2.1")
MSGPACK = Requirement("msgpack>=1.0")

PRIVATE = "endpointd-private"
"""Folder in an environment for packages that only the worker uses. `endpointd_worker.bootstrap` uses the same name."""


@dataclass(frozen=True, slots=True)
class Additions:
    """Requirements to be installed: `beside` together with the plugin's packages, `private` in the folder `PRIVATE`."""

    beside: tuple[str, ...] = ()
    private: tuple[str, ...] = ()


def additions_to(installed: Mapping[str, str]) -> Additions:
    """What an environment needs in addition to the installed packages (their versions by name). Raises
    `EnvironmentFailed` if the plugin's werkzeug is unsuitable."""
    versions = {canonicalize_name(name): version for name, version in installed.items()}
    beside, private = [], []
    werkzeug = versions.get(canonicalize_name(WERKZEUG.name))
    if werkzeug is None:
        beside.append(str(WERKZEUG))
    elif not WERKZEUG.specifier.contains(werkzeug, prereleases=True):
        raise EnvironmentFailed(
            "worker_needs_unmet",
            f"it pins werkzeug {werkzeug}, and workers need {WERKZEUG}",
            "let the plugin allow a newer werkzeug",
        )
    msgpack = versions.get(canonicalize_name(MSGPACK.name))
    if msgpack is None:
        beside.append(str(MSGPACK))
    elif not MSGPACK.specifier.contains(msgpack, prereleases=True):
        private.append(str(MSGPACK))
    return Additions(tuple(beside), tuple(private))
