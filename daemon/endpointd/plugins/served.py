"""A plugin that is served: the content of its folder, its supervisor, and the versions that its workers may run."""

from dataclasses import dataclass, field, replace

from endpointd.plugins.catalog import Entry
from endpointd.plugins.versions import Version
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.worker import WorkerOrder


@dataclass(eq=False, slots=True)
class ServedPlugin:
    """`entry` is the last valid content of the folder, `wanted` the version that is to serve. `versions` are that one,
    the one that serves now, and those to which the supervisor may go back. `proved` is the order of the latest version
    that has proved that it works."""

    entry: Entry
    wanted: Version
    supervisor: Supervisor
    versions: list[Version] = field(default_factory=list)
    """The version that serves comes first."""
    proved: WorkerOrder | None = None

    @property
    def serving(self) -> Version:
        """The version that answers, or that will when a worker has started."""
        return self.versions[0]

    def run(self, version: Version) -> None:
        """Set the wanted version and start workers for it, even if it has failed before. They replace the present ones
        when they are ready."""
        self.wanted = version
        if version not in self.versions:
            self.versions.append(version)
        self.supervisor.replace(version.order, version.rules)

    def hold_to(self, version: Version) -> None:
        """Set the wanted version without replacing the workers: only its rules may differ."""
        version = replace(version, order=self.wanted.order)
        self.versions = [version if one is self.wanted else one for one in self.versions]
        self.wanted = version
        self.supervisor.regulate(version.rules)

    def switch_to(self, order: WorkerOrder) -> None:
        """Requests go to workers of `order` from now on. Versions that can no longer be run are dropped."""
        serving = next(version for version in self.versions if version.order is order)
        # The previous version is kept, because its workers may still be finishing requests.
        kept = [serving, self.serving, self.wanted]
        kept += [version for version in self.versions if self.supervisor.may_run(version.order)]
        self.versions = list(dict.fromkeys(kept))
