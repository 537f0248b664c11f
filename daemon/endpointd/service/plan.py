"""Decides which steps are necessary to install or remove the service, given the state of the machine. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from endpointd.service.units import ACCOUNT, CONFIG, CONFIG_DIRECTORY, KEY, RUNTIME, SERVICE, SOCKET, STATE, ServiceFile

UNITS = (SOCKET, SERVICE)


@dataclass(frozen=True, slots=True)
class Found:
    """The state of the machine. `texts` are those of the service's files that exist, by path."""

    texts: dict[str, str] = field(default_factory=dict)
    has_account: bool = False
    has_directories: bool = False
    has_config: bool = False
    has_key: bool = False
    needs_reload: bool = False
    """Whether the units' files were changed since systemd has read them."""
    is_enabled: bool = False
    is_active: bool = False
    version: str | None = None
    """The version of the running daemon; None if none answers."""


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file that belongs to root. A `private` one is readable only for root and the service's group, others for
    everybody."""

    path: str
    text: str
    private: bool = False
    replaces: bool = False

    def __str__(self) -> str:
        return f"{'replace' if self.replaces else 'write'} {self.path}"


@dataclass(frozen=True, slots=True)
class MakeKey:
    """Create the key with which secrets are sealed, or take over those in the file `earlier`, if it exists."""

    path: str
    earlier: str

    def __str__(self) -> str:
        return f"make the key for secrets, {self.path}; keep a copy of it elsewhere"


@dataclass(frozen=True, slots=True)
class Run:
    command: tuple[str, ...]

    def __str__(self) -> str:
        return f"run {' '.join(self.command)}"


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file, or a folder with its content."""

    path: str

    def __str__(self) -> str:
        return f"remove {self.path}"


Step: TypeAlias = Write | MakeKey | Run | Remove


def installing(files: Sequence[ServiceFile], config: str, found: Found, version: str) -> list[Step]:
    """The steps of an installation or upgrade, in order; none if everything is as it should be. The configuration and
    the key, which operators may have changed, are only created if they are missing. `version` is that of this
    command."""
    stale = [file for file in files if found.texts.get(file.path) != file.text]
    accounts, folders, *units = files
    steps: list[Step] = []
    for file, is_done in ((accounts, found.has_account), (folders, found.has_directories)):
        steps += _writing([file], stale, found)
        if file in stale or not is_done:
            steps.append(Run(file.then))
    if not found.has_config:
        steps.append(Write(CONFIG, config, private=True))
    if not found.has_key:
        steps.append(MakeKey(KEY, f"{STATE}/secret.key"))
    steps += _writing(units, stale, found)
    is_stale = any(unit in stale for unit in units)
    if is_stale or found.needs_reload:
        steps.append(Run(units[0].then))
    return steps + _starting(found, version, is_stale=is_stale or found.needs_reload, socket=units[0] in stale)


def removing(files: Sequence[ServiceFile], found: Found, *, purge: bool) -> list[Step]:
    """The steps of a removal, in order. Data, configuration, key and user are only removed with `purge`."""
    there = [file for file in files if file.path in found.texts]
    units = [file for file in there if file.path.endswith(UNITS)]
    steps: list[Step] = [Run(("systemctl", "disable", "--now", *UNITS))] if units else []
    steps += [Remove(file.path) for file in there]
    if units:
        steps.append(Run(units[0].then))
    if purge:
        steps += [Remove(STATE), Remove(CONFIG_DIRECTORY), Remove(RUNTIME)]
        if found.has_account:
            steps.append(Run(("userdel", ACCOUNT)))
    return steps


def _writing(files: Sequence[ServiceFile], stale: Sequence[ServiceFile], found: Found) -> list[Step]:
    return [Write(file.path, file.text, replaces=file.path in found.texts) for file in files if file in stale]


def _starting(found: Found, version: str, *, is_stale: bool, socket: bool) -> list[Step]:
    steps: list[Step] = []
    if not found.is_enabled:
        steps.append(Run(("systemctl", "enable", *UNITS)))
    if not found.is_active:
        steps.append(Run(("systemctl", "start", *UNITS)))
    elif socket:
        steps.append(Run(("systemctl", "restart", *UNITS)))
    elif is_stale or found.version not in (None, version):
        # Only the service: the socket stays open meanwhile, so that no connection is refused.
        steps.append(Run(("systemctl", "restart", SERVICE)))
    return steps
