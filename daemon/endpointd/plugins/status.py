"""Snapshots of plugins' states, as shown by `endpointd list`, `endpointd status` and the admin API. Pure.

`as_dict` returns the JSON form. Later versions may add keys, but do not remove any.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class InterfaceStatus:
    """A route of a plugin. `url` is the whole URL, with the variables of the route's path in angle brackets."""

    method: str
    url: str


@dataclass(frozen=True, slots=True)
class FailureStatus:
    """A failure of a plugin. `code` is stable and meant for programs; `message` and `problems` are for people. `lines`
    are the last lines that the plugin had printed or logged before. `at` is the time of the failure, and `over_at` the
    time at which the plugin worked again (null if it does not yet), both in seconds since the epoch."""

    code: str
    message: str
    at: float
    problems: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    over_at: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A worker process that serves requests. `uptime` is in seconds, `memory` is its resident memory in bytes, `cpu`
    the processor time that it has used, in seconds; the last two are null if the system does not provide them."""

    pid: int
    release: str | None
    uptime: float
    in_flight: int
    requests: int
    memory: int | None
    cpu: float | None


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """A stored environment. `source` is the kind of file that declares its packages. `made_at` is the time at which it
    was built, in seconds since the epoch. `bytes` is its size on the disk; files that it shares with other environments
    count only once. `plugins` are the ids of the plugins that need it."""

    key: str
    python: str
    source: str
    made_at: float
    bytes: int
    plugins: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """The status of one folder in the plugins directory.

    `id` is "author/name" (or "name"), and null if the manifest cannot be read. `state` is one of STOPPED, BUILDING,
    STARTING, RUNNING, DRAINING, BACKOFF and FATAL, or REFUSED for a folder that cannot be served at all; `since` is the
    time at which it began, in seconds since the epoch. `replacing` says for people how far a new worker is that is to
    replace the present one; null if there is none. `restarts` is the number of workers that replaced a failed one, and
    `requests` the number of requests to all workers, both since the start of the daemon.
    """

    folder: str
    id: str | None
    version: str | None
    state: str
    since: float | None
    release: str | None = None
    previous_releases: tuple[str, ...] = ()
    pinned: bool = False
    """Whether an operator has rolled back to an older release."""
    behind: bool = False
    """Whether an older version answers, because the content of the folder cannot be served or has failed."""
    worker: WorkerStatus | None = None
    """The oldest worker that answers."""
    workers: tuple[WorkerStatus, ...] = ()
    """All workers that answer."""
    workers_wanted: int = 1
    replacing: str | None = None
    building: str | None = None
    """The latest message about the environment that is being built for the plugin; None if none is."""
    in_flight: int = 0
    queued: int = 0
    requests: int = 0
    restarts: int = 0
    failure: FailureStatus | None = None
    findings: tuple[str, ...] = ()
    """What is wrong with the present content of the folder, for people."""
    interfaces: tuple[InterfaceStatus, ...] = ()

    @property
    def memory(self) -> int | None:
        """The resident bytes of all workers together; None if unknown."""
        known = [worker.memory for worker in self.workers if worker.memory is not None]
        return sum(known) if known else None

    @property
    def cpu(self) -> float | None:
        """The seconds of processor time of all workers together; None if unknown."""
        known = [worker.cpu for worker in self.workers if worker.cpu is not None]
        return sum(known) if known else None

    @property
    def trouble(self) -> FailureStatus | None:
        """The last failure, unless it is over."""
        return None if self.failure is None or self.failure.over_at is not None else self.failure

    @property
    def shortage(self) -> str:
        """A text such as "1 of 2" if the plugin runs with fewer workers than wanted; else empty."""
        is_short = self.state == "RUNNING" and len(self.workers) < self.workers_wanted
        return f"{len(self.workers)} of {self.workers_wanted}" if is_short else ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class InstalledStatus(PluginStatus):
    """The status of a plugin that was just installed. `package` identifies its package by author, name, version and
    checksum; `signer` names the trusted key that has signed it. `warnings` are for people."""

    package: str | None = None
    signer: str | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, status: PluginStatus, package: str | None, signer: str | None, warnings: tuple[str, ...]
    ) -> "InstalledStatus":
        known = {field.name: getattr(status, field.name) for field in fields(status)}
        return cls(**known, package=package, signer=signer, warnings=warnings)
