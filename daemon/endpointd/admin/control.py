"""The interfaces through which the administration uses the daemon. `operations.py`, `observe/observation.py` and
`housekeeping.py` implement them."""

from typing import BinaryIO, Protocol

from endpointd.logs.journal import Journal
from endpointd.observe.readiness import Readiness
from endpointd.plugins.status import EnvironmentStatus, InstalledStatus, PluginStatus
from endpointd.settings.names import LogLevel


class Control(Protocol):
    """Operations on plugins. A plugin's id is "author/name", or "name" if it has no author.

    Methods with a `plugin_id` raise `PluginUnknown`. Actions return when their outcome is known, and raise
    `OperatorError` if it is not the requested one; the message says why, and what serves now.
    """

    def statuses(self) -> list[PluginStatus]:
        """The statuses of all plugins, and of folders that cannot be served."""

    def status(self, plugin_id: str) -> PluginStatus: ...

    def journal(self, plugin_id: str) -> Journal: ...

    async def start(self, plugin_id: str) -> PluginStatus: ...

    async def stop(self, plugin_id: str) -> PluginStatus: ...

    async def restart(self, plugin_id: str) -> PluginStatus: ...

    async def rollback(self, plugin_id: str, release: str | None) -> PluginStatus:
        """Run the release with this digest (or beginning of a digest); None: the one before the present one."""

    async def install(self, archive: BinaryIO, *, replace: bool) -> InstalledStatus:
        """Install the plugin folder in a tar stream: check it, put it in its place and start it. If it does not run,
        the previous state is restored."""

    async def install_package(self, package: BinaryIO, *, replace: bool) -> InstalledStatus:
        """As `install`, for a package."""

    async def uninstall(self, plugin_id: str) -> None: ...

    def log_level(self) -> LogLevel: ...

    def set_log_level(self, level: LogLevel | None) -> LogLevel:
        """Change the log level until the next start or change of the setting; None means the level of the settings.
        Returns the new level."""

    async def reload_configuration(self) -> list[str]:
        """Read the configuration again, as on SIGHUP. Returns the names of changed settings that need a restart."""


class Observed(Protocol):
    """The information for monitoring systems."""

    def readiness(self) -> Readiness: ...

    async def metrics(self) -> tuple[bytes, str]:
        """The metrics in Prometheus's text format, and their content type."""


class EnvironmentControl(Protocol):
    """The environments that the daemon stores."""

    async def environments(self) -> list[EnvironmentStatus]:
        """All environments, the oldest first."""

    async def prune_environments(self, *, dry_run: bool) -> list[EnvironmentStatus]:
        """Remove the environments that no plugin needs, or with `dry_run` only return them. Raises `OperatorError`."""
