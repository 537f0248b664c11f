"""Installs plugins into the plugins directory and removes them from it, each completely or not at all."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeAlias
from weakref import WeakValueDictionary

import structlog

from endpointd.errors import OperatorError, UsageError
from endpointd.installing import staging
from endpointd.installing.arrivals import Arrival
from endpointd.installing.placing import Placement, place
from endpointd.manifest.findings import Severity
from endpointd.manifest.model import Plugin
from endpointd.plugins.following import FolderFollower
from endpointd.plugins.pins import Pin
from endpointd.plugins.plugins import Plugins
from endpointd.plugins.rollbacks import Rollbacks
from endpointd.plugins.served import ServedPlugin
from endpointd.plugins.status import InstalledStatus, PluginStatus
from endpointd.plugins.versions import Version
from endpointd.settings.settings import Settings
from endpointd.supervisor.state import State

Unpack: TypeAlias = Callable[[BinaryIO, Path, Settings], Arrival]
Run: TypeAlias = Callable[[str, str], Awaitable[PluginStatus]]

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Before:
    """The state of a plugin before another version was installed, to go back to if that fails."""

    served: ServedPlugin | None
    wanted: Version | None
    state: State
    pin: Pin | None


class Installations:
    """`run` is called with a plugin's id and a past participle for its error message ("installed"). It starts the
    plugin and returns when it runs, or raises `OperatorError`."""

    def __init__(
        self, directory: Path, plugins: Plugins, follower: FolderFollower, rollbacks: Rollbacks, run: Run
    ) -> None:
        self._directory = directory
        self._plugins = plugins
        self._follower = follower
        self._rollbacks = rollbacks
        self._run = run
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._moving = asyncio.Lock()
        """Held while a folder is put in its place or removed, because two plugins may want the same folder name."""

    @asynccontextmanager
    async def _turn(self, plugin_id: str) -> AsyncIterator[None]:
        """Runs the installations and removals of a plugin one at a time, each to its end."""
        async with self._turns.setdefault(plugin_id, asyncio.Lock()):
            yield

    async def install(self, unpack: Unpack, source: BinaryIO, *, replace: bool) -> InstalledStatus:
        """Install the plugin in `source`, and serve it. Raises `OperatorError` if it is refused or does not run, and
        restores the previous state then. If the task is cancelled, the next start of the daemon restores it."""
        arrival = await asyncio.to_thread(unpack, source, self._directory, self._plugins.settings)
        try:
            async with self._turn(arrival.plugin.id):
                folder, status = await self._install(arrival, replace)
        finally:
            await asyncio.to_thread(shutil.rmtree, arrival.path, ignore_errors=True)
        _log.info(
            "plugin.installed",
            plugin=arrival.plugin.id,
            folder=folder,
            package=arrival.identifier,
            signer=arrival.signer,
            warnings=list(arrival.warnings),
        )
        return InstalledStatus.of(status, arrival.identifier, arrival.signer, arrival.warnings)

    async def _install(self, arrival: Arrival, replace: bool) -> tuple[str, PluginStatus]:
        plugin = arrival.plugin
        before = self._before(plugin.id)
        async with self._moving:
            folder = self._folder_for(plugin, replace)
            placement = await asyncio.to_thread(_placed, arrival.path, self._directory / folder)
        try:
            await self._follower.refresh([folder])
            self._expect_served(plugin, folder)
            status = await self._run(plugin.id, "installed")
        except Exception:
            await self._undo(placement, plugin.id, before)
            raise
        await asyncio.to_thread(placement.keep)
        return folder, status

    def _before(self, plugin_id: str) -> _Before:
        served = self._plugins.served.get(plugin_id)
        if served is None:
            return _Before(None, None, State.STOPPED, None)
        return _Before(served, served.wanted, served.supervisor.life.state, self._rollbacks.pinned(plugin_id))

    async def _undo(self, placement: Placement, plugin_id: str, before: _Before) -> None:
        await asyncio.to_thread(placement.undo)
        served = self._plugins.served.get(plugin_id)
        if served is not None and served is before.served and before.wanted is not None:
            if before.state is State.STOPPED:
                await served.supervisor.stop()
            elif served.supervisor.life.state is State.RUNNING:
                # The previous worker still runs and need not be replaced.
                served.wanted = before.wanted
                served.supervisor.want(before.wanted.order)
        if before.pin is not None:
            self._rollbacks.restore(plugin_id, before.pin)
        await self._follower.refresh([placement.target.name])
        if before.served is None:
            await self._forget(plugin_id)

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

    def _expect_served(self, plugin: Plugin, folder: str) -> None:
        served = self._plugins.served.get(plugin.id)
        entry = self._plugins.entries.get(folder)
        if served is None or entry is None or entry.plugin is None:
            errors = [str(one) for one in entry.findings if one.severity is Severity.ERROR] if entry is not None else []
            why = "; ".join([f"{plugin.id} cannot be served in the folder {folder!r}", *errors])
            raise OperatorError("plugin_refused", why, "mend it, and install it again")

    async def uninstall(self, plugin_id: str) -> None:
        """Remove the plugin's folder, worker and releases. Raises `OperatorError` if the folder cannot be removed."""
        async with self._turn(plugin_id):
            await self._uninstall(plugin_id)

    async def _uninstall(self, plugin_id: str) -> None:
        served = self._plugins.find(plugin_id)
        folder = self._directory / served.entry.folder
        async with self._moving:
            try:
                await asyncio.to_thread(_remove_folder, folder)
            except OSError as error:
                message = f"the folder {str(folder)!r} of {plugin_id} cannot be removed: {error.strerror}"
                raise OperatorError("folder_unremovable", message, "remove it by hand") from error
            await self._follower.refresh([folder.name])
        if self._plugins.served.get(plugin_id) is not served:
            await served.supervisor.close()
        await self._forget(plugin_id)

    async def _forget(self, plugin_id: str) -> None:
        async with self._plugins.taking:
            # The plugin may have been installed again meanwhile, and may use these releases.
            if plugin_id not in self._plugins.served:
                await asyncio.to_thread(self._rollbacks.forget, plugin_id)


def _placed(staged: Path, target: Path) -> Placement:
    with staging.explained(target.parent):
        return place(staged, target)


def _remove_folder(folder: Path) -> None:
    """Remove a plugin's folder. It is renamed to a hidden name first, so that nobody sees a partly removed folder."""
    if folder.is_symlink():
        folder.unlink()
        return
    hidden = folder.with_name(f"{staging.PREFIX}removed-{folder.name}")
    shutil.rmtree(hidden, ignore_errors=True)
    folder.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)
