"""Snapshots of plugins' states, as shown by `endpointd list`, `endpointd status` and the admin API. Pure.

`as_dict` returns the JSON form. Later versions may add keys, but do not remove any.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class InterfaceStatus:
    """One route that answers: `url` is whole, with the rule's variables as the plugin wrote them."""

    method: str
    url: str


@dataclass(frozen=True, slots=True)
class FailureStatus:
    """Why something did not work: `at` is in seconds since the epoch, `problems` are lines for people, `lines` the
    last output before it. `over_at` is when all was well again, None as long as it is not."""

    code: str
    message: str
    at: float
    problems: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    over_at: float | None = None


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """A process that answers now. `uptime` is in seconds, `memory` the resident bytes, `cpu` the seconds of
    processor time so far; both are None when the system does not tell."""

    pid: int
    release: str | None
    uptime: float
    in_flight: int
    requests: int
    memory: int | None
    cpu: float | None


@dataclass(frozen=True, slots=True)
class EnvironmentStatus:
    """An environment that is kept. `source` is the file that asked for it, `made_at` in seconds since the epoch,
    `bytes` the room that it takes (what it shares with others counts once), `plugins` are those that need it."""

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
    """One folder of the plugins directory.

    `id` is "author/name" (or "name"), None when the manifest cannot be read; `state` is one of the operators' words, or
    "REFUSED" for a folder that cannot be served at all. `since` is in seconds since the epoch. `replacing` tells of a
    new worker that is under way while another one answers. `restarts` counts the workers that took the place of one
    that had failed. `requests` are those of all workers since the daemon began.
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
    """The plugin that was installed. `package` is the identifier of its package (author, name, version, checksum),
    `signer` the trusted key that has signed it; `warnings` are for people."""

    package: str | None = None
    signer: str | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, status: PluginStatus, package: str | None, signer: str | None, warnings: tuple[str, ...]
    ) -> "InstalledStatus":
        known = {field.name: getattr(status, field.name) for field in fields(status)}
        return cls(**known, package=package, signer=signer, warnings=warnings)
