"""What an operator can do to the plugins of a running daemon: the implementation of `admin.control.Control`."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

from endpointd import staging
from endpointd.errors import OperatorError, UsageError
from endpointd.folder import PluginFolder
from endpointd.journal import Journal
from endpointd.live import Live
from endpointd.manifest.findings import Severity
from endpointd.manifest.model import Plugin
from endpointd.manifest.reading import read_plugin
from endpointd.plugins import Plugins
from endpointd.reporting import interfaces_of, plugin_status, refused_status
from endpointd.rollbacks import Rollbacks
from endpointd.status import PluginStatus
from endpointd.supervisor.state import State
from endpointd.supervisor.supervisor import Supervisor


class Operations:
    """`base` gives what URLs begin with; `reload` reads the configuration again."""

    def __init__(
        self,
        directory: Path,
        plugins: Plugins,
        live: Live,
        rollbacks: Rollbacks,
        base: Callable[[], str],
        reload: Callable[[], Awaitable[list[str]]],
    ) -> None:
        self._directory = directory
        self._plugins = plugins
        self._live = live
        self._rollbacks = rollbacks
        self._base = base
        self._reload = reload
        self._installing = asyncio.Lock()

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
            now=asyncio.get_running_loop().time(),
        )

    def journal(self, plugin_id: str) -> Journal:
        """Raises `PluginUnknown`."""
        return self._plugins.find(plugin_id).supervisor.journal

    # The worker

    async def start(self, plugin_id: str) -> PluginStatus:
        """Raises `OperatorError` when it does not run then."""
        await self._start(self._plugins.find(plugin_id).supervisor)
        return await self._outcome(plugin_id, "started")

    @staticmethod
    async def _start(supervisor: Supervisor) -> None:
        # Who is just being stopped is started when that is done.
        await supervisor.settled(built=False)
        supervisor.start()

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
        failure = supervisor.failure
        runs = supervisor.life.state is State.RUNNING
        if runs and supervisor.order is served.wanted.order:
            return self.status(plugin_id)
        why = f"{failure.message} [{failure.code}]" if failure is not None else f"it is {supervisor.life.state}"
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
        served = self._plugins.find(plugin_id)
        target = self._rollbacks.target(plugin_id, served.serving.digest, release)
        pin, wanted = self._rollbacks.pin(served.entry, target), served.wanted
        self._plugins.change(served.entry)
        if served.supervisor.life.state is State.STOPPED:
            return self.status(plugin_id)
        try:
            return await self._outcome(plugin_id, f"rolled back to {target.digest}")
        except OperatorError:
            served.wanted = wanted
            self._rollbacks.restore(plugin_id, pin)
            raise

    # The folder

    async def install(self, archive: BinaryIO, *, replace: bool) -> PluginStatus:
        """Put the folder in `archive` (a tar stream) into the plugins directory and serve it. Raises `OperatorError`
        when it is refused, and then nothing has changed; or when it does not run."""
        async with self._installing:
            staged = await asyncio.to_thread(staging.unpack, archive, self._directory)
            try:
                plugin = await asyncio.to_thread(_read_staged, staged)
                folder = self._folder_for(plugin, replace)
                await asyncio.to_thread(staging.put, staged, self._directory / folder)
            finally:
                await asyncio.to_thread(shutil.rmtree, staged, ignore_errors=True)
            await self._live.refresh([folder])
        served = self._plugins.served.get(plugin.id)
        entry = self._plugins.entries.get(folder)
        if served is None or entry is None or entry.plugin is None:
            errors = [str(one) for one in entry.findings if one.severity is Severity.ERROR] if entry is not None else []
            why = "; ".join([f"{plugin.id} is in the folder {folder!r}, but not served", *errors])
            raise OperatorError("plugin_refused", why, "see 'endpointd list'")
        await self._start(served.supervisor)
        return await self._outcome(plugin.id, "installed")

    def _folder_for(self, plugin: Plugin, replace: bool) -> str:
        served = self._plugins.served.get(plugin.id)
        if served is not None:
            if not replace:
                raise UsageError(
                    "plugin_exists",
                    f"{plugin.id} {served.serving.plugin.version} is installed in the folder {served.entry.folder!r}",
                    "install it with --replace to put this one in its place",
                )
            return served.entry.folder
        for folder in (plugin.name, plugin.id.replace("/", "--")):
            if not (self._directory / folder).exists():
                return folder
        raise UsageError(
            "folder_exists",
            f"the folders {plugin.name!r} and {plugin.id.replace('/', '--')!r} hold something else already",
            "remove one of them, or copy the plugin there by hand",
        )

    async def uninstall(self, plugin_id: str) -> None:
        """Remove the plugin's folder and its releases. Returns when its worker has ended. Another folder that holds the
        same plugin is served from then on. Raises `OperatorError` when the folder cannot be removed."""
        served = self._plugins.find(plugin_id)
        folder = self._directory / served.entry.folder
        async with self._installing:
            try:
                await asyncio.to_thread(_remove_folder, folder)
            except OSError as error:
                message = f"the folder {str(folder)!r} of {plugin_id} cannot be removed: {error.strerror}"
                raise OperatorError("folder_unremovable", message, "remove it by hand") from error
            await self._live.refresh([folder.name])
        if self._plugins.served.get(plugin_id) is not served:
            await served.supervisor.close()
        async with self._plugins.taking:
            # It may have come back meanwhile, and runs what is to be removed here.
            if plugin_id not in self._plugins.served:
                await asyncio.to_thread(self._rollbacks.forget, plugin_id)

    async def reload_configuration(self) -> list[str]:
        """Hold the plugins to what the configuration says now. Raises `OperatorError`, and then nothing has changed."""
        return await self._reload()


def _read_staged(staged: Path) -> Plugin:
    reading = read_plugin(PluginFolder(staged))
    if reading.plugin is None:
        errors = [str(finding) for finding in reading.findings if finding.severity is Severity.ERROR]
        raise OperatorError(
            "plugin_invalid", "the plugin cannot be served: " + "; ".join(errors), "mend it, and install it again"
        )
    return reading.plugin


def _remove_folder(folder: Path) -> None:
    """Out of sight in one step, so that nobody ever sees half of it."""
    if folder.is_symlink():
        folder.unlink()
        return
    hidden = folder.with_name(f"{staging.PREFIX}removed-{folder.name}")
    shutil.rmtree(hidden, ignore_errors=True)
    folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)
