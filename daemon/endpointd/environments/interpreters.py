"""Chooses the interpreter for a plugin, and computes the names of environments. Pure."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import SpecifierSet

from endpointd.environments.failures import EnvironmentFailed
from endpointd.environments.needs import Needs

OLDEST = (3, 11)
"""The oldest Python version on which the worker's code runs."""

SCHEME = "endpointd environment 1"
"""The version of the way in which environments are built. A new number causes all of them to be built again."""

DIGITS = 16
_MINOR = re.compile(r"\s*(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """An interpreter and its answer. `abi` is the ABI of compiled packages ("cpython-312-x86_64-linux-gnu")."""

    path: Path
    version: tuple[int, int, int]
    abi: str
    platform: str

    @property
    def minor(self) -> tuple[int, int]:
        return self.version[:2]

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.version))} ({self.path})"


def choose(found: Sequence[Interpreter], needs: Needs) -> Interpreter:
    """The interpreter to be used for `needs`; the first of those that fit equally well. Raises `EnvironmentFailed`.

    `requires-python` must be fulfilled. The manifest's `runner.version` is the minor version with which the author has
    tested: that one is chosen, or else the next newer one. An older one is chosen only if `requires-python` is given
    and allows it.
    """
    fitting = [one for one in found if _allows(one, needs)]
    wanted = _minor_of(needs.runner_version)
    if wanted is None:
        if fitting:
            return fitting[0]
        raise _missing(found, needs)
    newer = [one for one in fitting if one.minor >= wanted]
    if newer:
        return min(newer, key=lambda one: one.minor)
    if fitting and needs.requires_python is not None:
        return max(fitting, key=lambda one: one.minor)
    raise _missing(found, needs)


def _allows(one: Interpreter, needs: Needs) -> bool:
    version = ".".join(map(str, one.version))
    rule = SpecifierSet(needs.requires_python or "")
    return one.minor >= OLDEST and rule.contains(version, prereleases=True)


def _minor_of(version: str | None) -> tuple[int, int] | None:
    found = _MINOR.match(version or "")
    return (int(found[1]), int(found[2])) if found else None


def _missing(found: Sequence[Interpreter], needs: Needs) -> EnvironmentFailed:
    wanted = []
    if needs.requires_python is not None:
        wanted.append(f"requires-python {needs.requires_python!r}")
    if _minor_of(needs.runner_version) is not None:
        wanted.append(f"runner.version {needs.runner_version!r}")
    demand = " and ".join(wanted) or "Python {}.{} or newer".format(*OLDEST)
    there = ", ".join(map(str, found)) or "none"
    return EnvironmentFailed(
        "interpreter_missing",
        f"no Python interpreter fits {demand}; found: {there}",
        "install one ('uv python install' does), or name one in python_interpreters",
    )


def key_of(needs: Needs, interpreter: Interpreter, user: int) -> str:
    """The name of an environment. It is the same for equal inputs, and does not depend on paths.

    `user` is the id of the user who builds it. Users do not share environments, because code that a package's build has
    left in one runs in every worker that uses it.
    """
    minor = "{}.{}".format(*interpreter.minor)
    parts = (SCHEME, needs.digest, minor, interpreter.abi, interpreter.platform, str(user))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:DIGITS]
