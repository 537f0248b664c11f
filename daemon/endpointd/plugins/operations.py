"""The operations on the plugins of a running daemon: the implementation of `admin.control.Control`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

import structlog

from endpointd.errors import OperatorError
from endpointd.installing.arrivals import from_archive, from_package
from endpointd.installing.installations import Installations
from endpointd.logs import logs
from endpointd.logs.journal import Journal
from endpointd.manifest.findings import finding_of
from endpointd.plugins.following import FolderFollower
from endpointd.plugins.pins import Pin
from endpointd.plugins.plugins import Plugins
from endpointd.plugins.releases import Release
from endpointd.plugins.reporting import interfaces_of, plugin_status, refused_status
from endpointd.plugins.rollbacks import Rollbacks
from endpointd.plugins.served import ServedPlugin
from endpointd.plugins.status import InstalledStatus, PluginStatus
from endpointd.settings.names import LogLevel
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.state import State

log = structlog.get_logger()


class Operations:
    """`base` returns the base URL; `reload` reads the configuration again, and returns the names of changed settings
    that need a restart."""

    def __init__(
        self,
        directory: Path,
        plugins: Plugins,
        follower: FolderFollower,
        rollbacks: Rollbacks,
        base: Callable[[], str],
        reload: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._plugins = plugins
        self._rollbacks = rollbacks
        self._base = base
        self._reload = reload
        self._installations = Installations(directory, plugins, follower, rollbacks, self._run)

    # Status

    def statuses(self) -> list[PluginStatus]:
        """The statuses of all plugins that are served and of all folders that are refused, sorted by folder."""
        by_folder = {served.entry.folder: self.status(name) for name, served in self._plugins.served.items()}
        refused = {
            folder: refused_status(entry)
            for folder, entry in self._plugins.entries.items()
            if entry.plugin is None and folder not in by_folder
        }
        return [status for _, status in sorted({**by_folder, **refused}.items())]

    def status(self, plugin_id: str) -> PluginStatus:
        """The status of one plugin. Raises `PluginUnknown`."""
        served = self._plugins.find(plugin_id)
        entry = self._plugins.entries.get(served.entry.folder, served.entry)
        return plugin_status(
            entry,
            served.serving.plugin,
            served.supervisor,
            interfaces_of(served.serving.plugin, self._plugins.mounts_of(served), self._base()),
            previous=tuple(release.digest for release in self._rollbacks.previous(plugin_id, served.serving.digest)),
            pinned=self._rollbacks.is_pinned(plugin_id),
            behind=self._plugins.is_behind(served),
            now=asyncio.get_running_loop().time(),
        )

    def journal(self, plugin_id: str) -> Journal:
        """The journal of a plugin. Raises `PluginUnknown`."""
        return self._plugins.find(plugin_id).supervisor.journal

    def log_level(self) -> LogLevel:
        return logs.level_of_now()

    def set_log_level(self, level: LogLevel | None) -> LogLevel:
        """Change the level; None means the level of the settings. Returns the new level."""
        logs.set_level(level or self._plugins.settings.log_level)
        log.info("log.level", log_level=logs.level_of_now())
        return logs.level_of_now()

    # The worker

    async def start(self, plugin_id: str) -> PluginStatus:
        """Start the plugin. Raises `OperatorError` if it does not run then."""
        return await self._run(plugin_id, "started")

    async def _run(self, plugin_id: str, done: str) -> PluginStatus:
        supervisor = self._plugins.find(plugin_id).supervisor
        # If the plugin is just being stopped, wait until that is done.
        await supervisor.settled(built=False)
        supervisor.start()
        return await self._outcome(plugin_id, done)

    async def stop(self, plugin_id: str) -> PluginStatus:
        """Stop the plugin. Returns when its running requests have ended, or their time is over, and no process is
        left."""
        await self._plugins.find(plugin_id).supervisor.stop()
        return self.status(plugin_id)

    async def restart(self, plugin_id: str) -> PluginStatus:
        """Start new workers, and end the old ones only when these are ready. Raises `OperatorError` if that fails."""
        supervisor = self._plugins.find(plugin_id).supervisor
        await supervisor.settled(built=False)
        if supervisor.life.state is State.STOPPED:
            supervisor.start()
        else:
            self._plugins.reset(plugin_id)
        return await self._outcome(plugin_id, "restarted")

    async def _outcome(self, plugin_id: str, done: str) -> PluginStatus:
        served = self._plugins.find(plugin_id)
        supervisor = served.supervisor
        await supervisor.settled()
        # With a short idle_stop, the worker may already have been stopped again.
        runs = supervisor.life.state in (State.RUNNING, State.SLEEPING)
        if runs and supervisor.order is served.wanted.order:
            return self.status(plugin_id)
        why = _words(supervisor.failure) or f"it is {supervisor.life.state}"
        rest = "the version before it goes on answering" if runs else f"the plugin is {supervisor.life.state}"
        raise OperatorError(
            "plugin_failed",
            f"{plugin_id} could not be {done}: {why}; {rest}",
            f"see 'endpointd status {plugin_id}' and 'endpointd logs {plugin_id}'",
        )

    # The version

    async def rollback(self, plugin_id: str, release: str | None) -> PluginStatus:
        """Run the given release (a digest, or its beginning), or the one before the present one. If the plugin is
        stopped, it will run it when it is started. Raises `OperatorError`, and nothing has changed then."""
        async with self._plugins.taking:
            served = self._plugins.find(plugin_id)
            wanted = served.wanted
            pin, target = await asyncio.to_thread(self._pin, served, release)
            self._plugins.change(served.entry)
            rolled_back = served.wanted
        if served.supervisor.life.state is State.STOPPED:
            return self.status(plugin_id)
        try:
            return await self._outcome(plugin_id, f"rolled back to {target.digest}")
        except OperatorError:
            if served.wanted is rolled_back:
                # Nothing else was requested meanwhile.
                served.wanted = wanted
                served.supervisor.want(wanted.order)
                await asyncio.to_thread(self._rollbacks.restore, plugin_id, pin)
            raise

    def _pin(self, served: ServedPlugin, release: str | None) -> tuple[Pin | None, Release]:
        """Pin the release. Returns the previous pin and the release. Blocking. Raises `OperatorError`."""
        target = self._rollbacks.target(served.supervisor.plugin, served.serving.digest, release)
        before = self._rollbacks.pin(served.entry, target)
        self._rollbacks.prepare(served.entry)
        return before, target

    # The folder

    async def install(self, archive: BinaryIO, *, replace: bool) -> InstalledStatus:
        """Install the plugin folder in `archive` (a tar stream), and serve it. Raises `OperatorError` if it is refused
        or does not run, and restores the previous state then."""
        return await self._installations.install(from_archive, archive, replace=replace)

    async def install_package(self, package: BinaryIO, *, replace: bool) -> InstalledStatus:
        """As `install`, for a package."""
        return await self._installations.install(from_package, package, replace=replace)

    async def uninstall(self, plugin_id: str) -> None:
        """Remove the plugin's folder and its releases. Returns when its workers have ended. If another folder contains
        the same plugin, that is served from then on. Raises `OperatorError` if the folder cannot be removed."""
        await self._installations.uninstall(plugin_id)

    async def reload_configuration(self) -> list[str]:
        """Read the configuration again, and apply it. Returns the names of changed settings that need a restart. Raises
        `OperatorError`, and nothing has changed then."""
        return await self._reload()


def _words(failure: Failure | None) -> str:
    """The failure and its problems in one line; empty if there was none, or if it is over."""
    if failure is None or failure.over_at is not None:
        return ""
    problems = "; ".join(str(finding_of(problem)) for problem in failure.problems)
    return f"{failure.message} [{failure.code}]" + (f": {problems}" if problems else "")
