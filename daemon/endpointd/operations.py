"""What an operator can do to the plugins of a running daemon: the implementation of `admin.control.Control`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

import structlog

from endpointd import logs
from endpointd.arrivals import from_archive, from_package
from endpointd.errors import OperatorError
from endpointd.following import FolderFollower
from endpointd.installations import Installations
from endpointd.journal import Journal
from endpointd.manifest.findings import finding_of
from endpointd.pins import Pin
from endpointd.plugins import Plugins
from endpointd.releases import Release
from endpointd.reporting import interfaces_of, plugin_status, refused_status
from endpointd.rollbacks import Rollbacks
from endpointd.served import ServedPlugin
from endpointd.setting_names import LogLevel
from endpointd.status import InstalledStatus, PluginStatus
from endpointd.supervisor.failure import Failure
from endpointd.supervisor.state import State

log = structlog.get_logger()


class Operations:
    """`base` gives what URLs begin with; `reload` reads the configuration again."""

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

    # Telling

    def statuses(self) -> list[PluginStatus]:
        """Of every folder, in the order of their names; then of plugins whose folder is not theirs any more."""
        by_folder = {served.entry.folder: self.status(name) for name, served in self._plugins.served.items()}
        refused = {
            folder: refused_status(entry)
            for folder, entry in self._plugins.entries.items()
            if entry.plugin is None and folder not in by_folder
        }
        return [status for _, status in sorted({**by_folder, **refused}.items())]

    def status(self, plugin_id: str) -> PluginStatus:
        """Raises `PluginUnknown`."""
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
        """Raises `PluginUnknown`."""
        return self._plugins.find(plugin_id).supervisor.journal

    def log_level(self) -> LogLevel:
        return logs.level_of_now()

    def set_log_level(self, level: LogLevel | None) -> LogLevel:
        """None is what the settings say."""
        logs.set_level(level or self._plugins.settings.log_level)
        log.info("log.level", log_level=logs.level_of_now())
        return logs.level_of_now()

    # The worker

    async def start(self, plugin_id: str) -> PluginStatus:
        """Raises `OperatorError` when it does not run then."""
        return await self._run(plugin_id, "started")

    async def _run(self, plugin_id: str, done: str) -> PluginStatus:
        supervisor = self._plugins.find(plugin_id).supervisor
        # Who is just being stopped is started when that is done.
        await supervisor.settled(built=False)
        supervisor.start()
        return await self._outcome(plugin_id, done)

    async def stop(self, plugin_id: str) -> PluginStatus:
        """Returns when the last request was answered, or its time has run out, and no process is left."""
        await self._plugins.find(plugin_id).supervisor.stop()
        return self.status(plugin_id)

    async def restart(self, plugin_id: str) -> PluginStatus:
        """A new worker, and only then the end of the old one. Raises `OperatorError` when the new one failed."""
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
        # A short idle_stop may have come before us.
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
        """Run the named release, or the one before the present one; a plugin that is stopped runs it when it is
        started. Raises `OperatorError`, and then nothing has changed."""
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
                # Nobody has wanted anything else meanwhile.
                served.wanted = wanted
                served.supervisor.want(wanted.order)
                await asyncio.to_thread(self._rollbacks.restore, plugin_id, pin)
            raise

    def _pin(self, served: ServedPlugin, release: str | None) -> tuple[Pin | None, Release]:
        """What held before, and what is to run now. Blocking. Raises `OperatorError`."""
        target = self._rollbacks.target(served.supervisor.plugin, served.serving.digest, release)
        before = self._rollbacks.pin(served.entry, target)
        self._rollbacks.prepare(served.entry)
        return before, target

    # The folder

    async def install(self, archive: BinaryIO, *, replace: bool) -> InstalledStatus:
        """Put the folder in `archive` (a tar stream) into the plugins directory and serve it. Raises `OperatorError`
        when it is refused or does not run, and then everything is as it was."""
        return await self._installations.install(from_archive, archive, replace=replace)

    async def install_package(self, package: BinaryIO, *, replace: bool) -> InstalledStatus:
        """The same, of a package."""
        return await self._installations.install(from_package, package, replace=replace)

    async def uninstall(self, plugin_id: str) -> None:
        """Remove the plugin's folder and its releases. Returns when its worker has ended. Another folder that holds the
        same plugin is served from then on. Raises `OperatorError` when the folder cannot be removed."""
        await self._installations.uninstall(plugin_id)

    async def reload_configuration(self) -> list[str]:
        """Hold the plugins to what the configuration says now. Raises `OperatorError`, and then nothing has changed."""
        return await self._reload()


def _words(failure: Failure | None) -> str:
    """What has failed, and what is wrong with the plugin, on one line; empty when nothing has, or it is over."""
    if failure is None or failure.over_at is not None:
        return ""
    problems = "; ".join(str(finding_of(problem)) for problem in failure.problems)
    return f"{failure.message} [{failure.code}]" + (f": {problems}" if problems else "")
