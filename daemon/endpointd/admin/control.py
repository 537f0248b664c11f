"""What the administration needs of the daemon. Its types alone; `operations.py` is the implementation."""

from typing import BinaryIO, Protocol

from endpointd.journal import Journal
from endpointd.observe.readiness import Readiness
from endpointd.setting_names import LogLevel
from endpointd.status import EnvironmentStatus, InstalledStatus, PluginStatus


class Control(Protocol):
    """Plugins go by their ids: "author/name", or "name" when they have no author.

    What takes a `plugin_id` raises `PluginUnknown`. What acts returns when the outcome is known, and raises
    `OperatorError` when it is not what was asked for; the message says why, and what serves now.
    """

    def statuses(self) -> list[PluginStatus]:
        """Of every folder, also of those that cannot be served."""

    def status(self, plugin_id: str) -> PluginStatus: ...

    def journal(self, plugin_id: str) -> Journal: ...

    async def start(self, plugin_id: str) -> PluginStatus: ...

    async def stop(self, plugin_id: str) -> PluginStatus: ...

    async def restart(self, plugin_id: str) -> PluginStatus: ...

    async def rollback(self, plugin_id: str, release: str | None) -> PluginStatus:
        """None: the release before the present one."""

    async def install(self, archive: BinaryIO, *, replace: bool) -> InstalledStatus:
        """Check the folder in a tar stream, put it in place and load it. If it does not run, everything is as it was
        before."""

    async def install_package(self, package: BinaryIO, *, replace: bool) -> InstalledStatus:
        """The same, of a package."""

    async def uninstall(self, plugin_id: str) -> None: ...

    def log_level(self) -> LogLevel: ...

    def set_log_level(self, level: LogLevel | None) -> LogLevel:
        """Until the next start or change of the setting; None is what the settings say. The level that holds then."""

    async def reload_configuration(self) -> list[str]:
        """As SIGHUP does. The names of settings that are others now, and that only a new start can change."""


class Observed(Protocol):
    """What those ask who watch over the daemon."""

    def readiness(self) -> Readiness: ...

    async def metrics(self) -> tuple[bytes, str]:
        """In Prometheus's text format, and its type."""


class EnvironmentControl(Protocol):
    """The environments that the daemon keeps."""

    async def environments(self) -> list[EnvironmentStatus]:
        """The oldest first."""

    async def prune_environments(self, *, dry_run: bool) -> list[EnvironmentStatus]:
        """Remove those that no plugin needs, or only tell which; raises `OperatorError`."""
