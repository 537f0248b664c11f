"""What the worker needs beside the plugin's own packages, and where that is put. Pure.

werkzeug must be the plugin's own: the plugin's code makes its responses of it. So it is added only where the plugin has
none, and a version that the worker cannot work with is an error. msgpack is the worker's own business: where the
plugin has one that will not do, the worker gets another, in a place that the plugin does not see.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from endpointd.environments.failures import EnvironmentFailed

WERKZEUG = Requirement("werkzeug>=2.1")
MSGPACK = Requirement("msgpack>=1.0")

PRIVATE = "endpointd-private"
"""Folder of an environment for packages of the worker's alone; `endpointd_worker.bootstrap` knows it too."""


@dataclass(frozen=True, slots=True)
class Additions:
    """Requirements: `beside` go to the plugin's packages, `private` into a place of their own."""

    beside: tuple[str, ...] = ()
    private: tuple[str, ...] = ()


def additions_to(installed: Mapping[str, str]) -> Additions:
    """What is missing where these packages are, versions by names. Raises `EnvironmentFailed`."""
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
