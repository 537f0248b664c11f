"""A plugin that is served: its folder's content, who supervises its workers, and the versions that these may run."""

from dataclasses import dataclass, field, replace

from endpointd.catalog import Entry
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.worker import WorkerOrder
from endpointd.versions import Version


@dataclass(eq=False, slots=True)
class ServedPlugin:
    """`entry` is the folder's last good content, `wanted` the version that is to serve. `versions` holds it, the one
    that serves, and what the supervisor may go back to. `proved` is what has last shown that it serves."""

    entry: Entry
    wanted: Version
    supervisor: Supervisor
    versions: list[Version] = field(default_factory=list)
    """The one that serves comes first."""
    proved: WorkerOrder | None = None

    @property
    def serving(self) -> Version:
        """The version that answers, or is to answer as soon as one does."""
        return self.versions[0]

    def run(self, version: Version) -> None:
        """`version` is wanted: a worker of it takes the place of the present one as soon as it is ready, also when it
        has failed before."""
        self.wanted = version
        if version not in self.versions:
            self.versions.append(version)
        self.supervisor.replace(version.order, version.rules)

    def hold_to(self, version: Version) -> None:
        """`version` is wanted, and the same workers do; only what they are held to may be another."""
        version = replace(version, order=self.wanted.order)
        self.versions = [version if one is self.wanted else one for one in self.versions]
        self.wanted = version
        self.supervisor.regulate(version.rules)

    def switch_to(self, order: WorkerOrder) -> None:
        """Requests go to workers of `order` from now on. What nobody may run any more is forgotten."""
        serving = next(version for version in self.versions if version.order is order)
        # The one before may have requests to finish.
        kept = [serving, self.serving, self.wanted]
        kept += [version for version in self.versions if self.supervisor.may_run(version.order)]
        self.versions = list(dict.fromkeys(kept))
