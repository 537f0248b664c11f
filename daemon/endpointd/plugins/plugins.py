"""The plugins that this daemon serves: each with a supervisor, and mounted at its endpoints."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import structlog

from endpointd.endpoints.book import Book
from endpointd.errors import PluginUnknown
from endpointd.gateway.mount import Mount
from endpointd.gateway.problems import Problem
from endpointd.manifest.model import Plugin
from endpointd.plugins.catalog import Entry, Standing, plan, settle
from endpointd.plugins.loading import refused_if_unrunnable
from endpointd.plugins.mounts import Mounts
from endpointd.plugins.served import ServedPlugin
from endpointd.plugins.versions import Version
from endpointd.sessions.dispatch import AnswerCall, refuse
from endpointd.settings.settings import Settings
from endpointd.supervisor.provision import Provider
from endpointd.supervisor.starts import Starts
from endpointd.supervisor.state import State
from endpointd.supervisor.supervisor import Supervisor
from endpointd.supervisor.worker import WorkerOrder

log = structlog.get_logger()


class Plugins:
    """Owns all supervisors, and `mounts`, in which the gateway looks up hook ids. `book` has the operators' endpoints;
    `remount` must be called when those of a plugin have changed.

    `provider` provides the workers' interpreters. `given` are values for the settings of automatic endpoints (see
    `Mounts`). `answer` answers the plugins' session calls.

    `choose` returns the entry to serve instead of one that was found: that of an older release, if an operator has
    rolled back to it. `in_service` is called with a plugin's id and the digests of its versions whenever another
    version has proved that it works; that one comes first.
    """

    def __init__(
        self,
        settings: Settings,
        choose: Callable[[Entry], Entry],
        in_service: Callable[[str, list[str]], Awaitable[None]],
        book: Book,
        provider: Provider,
        answer: AnswerCall = refuse,
        given: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._choose = choose
        self._in_service = in_service
        self._answer = answer
        self._starts = Starts(settings.starts_at_once)
        self._book = book
        self._mounts = Mounts(book, given)
        self._served: dict[str, ServedPlugin] = {}
        self._entries: dict[str, Entry] = {}
        self._found: tuple[Entry, ...] = ()
        """The entries as they were found, before `settle` and other checks."""
        self._leaving: set[Supervisor] = set()
        """The supervisors of removed plugins whose workers have not ended yet."""
        self._doing: set[asyncio.Task[None]] = set()
        self._is_beginning = True
        """True until the first `adopt`. On-demand plugins that are there at the start are not started; those that come
        later are started once, to show that they work."""
        self._is_ending = False
        self.taking = asyncio.Lock()
        """Held from the making of a release until it is wanted, and while releases or environments are removed: one
        that is not wanted yet would be mistaken for one that is no longer needed."""

    @property
    def mounts(self) -> Mapping[str, Mount]:
        return self._mounts.by_hook

    def refusal(self, hook_id: str) -> Problem | None:
        """The answer to a request at a hook id where nothing is mounted; None if the hook id is unknown."""
        record = self._book.at(hook_id)
        if record is None:
            return self._mounts.gone(hook_id)
        return self._book.refusal(hook_id, self.plugin(record.plugin))

    @property
    def served(self) -> Mapping[str, ServedPlugin]:
        """The plugins that are served, by id."""
        return self._served

    @property
    def entries(self) -> Mapping[str, Entry]:
        """The entries by folder name, as returned by `settle`."""
        return self._entries

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def in_flight(self) -> int:
        """The number of running requests of all plugins."""
        return sum(supervisor.crew.in_flight for supervisor in self.supervisors())

    def find(self, plugin_id: str) -> ServedPlugin:
        """The plugin with this id. Raises `PluginUnknown`."""
        served = self._served.get(plugin_id)
        if served is None:
            raise PluginUnknown(plugin_id, self._served)
        return served

    def is_behind(self, served: ServedPlugin) -> bool:
        """Whether an older version answers, because the content of the folder cannot be served or has failed."""
        found = self._entries.get(served.entry.folder)
        is_refused = found is not None and found.plugin is None and found.digest != served.serving.digest
        answers = served.supervisor.life.state in (State.RUNNING, State.SLEEPING)
        return answers and (is_refused or served.supervisor.is_behind)

    # For the endpoints

    def plugin(self, plugin_id: str) -> Plugin | None:
        """The manifest of the version that answers, or that will when it has started; None if there is no such
        plugin."""
        served = self._served.get(plugin_id)
        return None if served is None else served.serving.plugin

    def ids(self) -> Collection[str]:
        return self._served.keys()

    def automatic(self, hook_id: str) -> str | None:
        """The id of the plugin whose automatic endpoint is at this hook id; None if there is none."""
        return self._mounts.automatic(hook_id)

    def remount(self, plugin_id: str) -> None:
        """Mount the plugin again, because its endpoints have changed. Others may get hook ids that have become free."""
        served = self._served.get(plugin_id)
        if served is not None:
            with self._guarded(served.entry):
                self._mount(served)
        self._mount_the_waiting()

    # Changes of what is served

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Serve the plugins of `entries`, which are all folders of the plugins directory, and stop serving others."""
        if self._is_ending:
            return
        self._found = tuple(entries)
        owners = {name: served.entry.folder for name, served in self._served.items()}
        settled = [refused_if_unrunnable(entry, self._settings) for entry in settle(self._found, owners)]
        self._tell_refused(settled)
        self._entries = {entry.folder: entry for entry in settled}
        standing = {name: Standing(one.entry.folder, one.entry.digest) for name, one in self._served.items()}
        steps = plan(standing, settled)
        for name in steps.remove:
            self._remove(name)
        for entry in steps.add:
            with self._guarded(entry):
                self._add(entry)
        for entry in steps.change:
            with self._guarded(entry):
                self.change(entry)
        for entry in steps.move:
            self._served[_plugin(entry).id].entry = entry
        self._mount_the_waiting()
        self._is_beginning = False

    def _tell_refused(self, settled: Iterable[Entry]) -> None:
        for entry in settled:
            before = self._entries.get(entry.folder)
            if entry.plugin is None and (before is None or before.findings != entry.findings):
                log.error("folder.refused", folder=entry.folder, findings=[str(finding) for finding in entry.findings])

    def _add(self, entry: Entry) -> None:
        version = Version.of(self._choose(entry), self._settings)
        name = version.plugin.id
        serve, prove = partial(self._serve, name), partial(self._prove, name)
        supervisor = Supervisor(
            name, version.order, version.rules, self._starts, serve, prove, self._provider, self._answer
        )
        served = self._served[name] = ServedPlugin(entry, version, supervisor, [version])
        log.info("plugin.added", plugin=name, folder=entry.folder, release=version.order.release)
        self._mount(served)
        if self._is_beginning and version.rules.on_demand:
            supervisor.sleep()
        else:
            supervisor.start()

    def change(self, entry: Entry) -> None:
        """Serve the new content of the folder of a plugin that is served."""
        served = self._served[_plugin(entry).id]
        served.entry = entry
        self._want(served, Version.of(self._choose(entry), self._settings))

    def _want(self, served: ServedPlugin, version: Version) -> None:
        if version.is_run_as(served.wanted):
            served.hold_to(version)
            self._mount(served)
            return
        log.info("plugin.changed", plugin=version.plugin.id, release=version.order.release)
        served.run(version)

    def reset(self, plugin_id: str) -> None:
        """Replace the workers by new ones of the wanted version, even if that has failed before."""
        served = self.find(plugin_id)
        served.run(served.wanted)

    def _remove(self, plugin_id: str) -> None:
        served = self._served.pop(plugin_id)
        log.info("plugin.removed", plugin=plugin_id, folder=served.entry.folder)
        self._mounts.take(served.supervisor)
        self._leaving.add(served.supervisor)
        self._do(self._leave(served.supervisor))

    async def _leave(self, supervisor: Supervisor) -> None:
        await supervisor.close()
        # Only now, so that followers see how the workers end.
        supervisor.journal.close()
        self._leaving.discard(supervisor)

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine in the background; `stop` waits for it."""
        task = asyncio.create_task(work)
        self._doing.add(task)
        task.add_done_callback(self._has_done)

    def _has_done(self, task: "asyncio.Task[None]") -> None:
        self._doing.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.critical("plugins.defect", exc_info=task.exception())

    def apply(self, settings: Settings) -> None:
        """Apply other settings to all plugins. Workers are replaced only if necessary. A plugin that cannot run with
        the new settings goes on as before, and gets a finding."""
        self._settings = settings
        self._starts.limit(settings.starts_at_once)
        for served in self._served.values():
            if refused_if_unrunnable(served.entry, settings).plugin is not None:
                with self._guarded(served.entry):
                    self._want(served, Version.of(self._choose(served.entry), settings))
                    self._mount(served)
        # Entries that the previous settings had refused may be served now.
        self.adopt(self._found)

    @contextmanager
    def _guarded(self, entry: Entry) -> Iterator[None]:
        """Log any exception within the block: a defect with one plugin must not stop the others or the daemon."""
        try:
            yield
        except Exception:
            log.critical("plugins.defect", folder=entry.folder, exc_info=True)

    # Mounting

    def _serve(self, plugin_id: str, order: WorkerOrder) -> None:
        """Called by the supervisor: requests go to workers of `order` from now on, as soon as there is one."""
        served = self._served.get(plugin_id)
        if served is None:
            return
        served.switch_to(order)
        had_endpoint = bool(self.mounts_of(served))
        self._mount(served)
        self._mount_the_waiting()
        if had_endpoint and not self.mounts_of(served):
            log.warning("plugin.without_endpoint", plugin=plugin_id, reasons=[self.why_unmounted(served)])
        self._tell_incomplete(served.serving.plugin)

    def _prove(self, plugin_id: str, order: WorkerOrder) -> None:
        """Called by the supervisor: workers of `order` have proved that they work."""
        served = self._served.get(plugin_id)
        if served is not None and served.proved is not order:
            served.proved = order
            self._do(self._note_service(served, served.serving.digest))

    def _tell_incomplete(self, plugin: Plugin) -> None:
        for record, faults in self._book.incomplete(plugin):
            missing = sorted({fault.key for fault in faults})
            log.warning("endpoint.incomplete", plugin=plugin.id, endpoint=record.id, name=record.name, settings=missing)

    async def _note_service(self, served: ServedPlugin, digest: str | None) -> None:
        async with self.taking:
            if self._served.get(served.supervisor.plugin) is served:
                digests = [digest, *(version.digest for version in served.versions)]
                known = dict.fromkeys(one for one in digests if one is not None)
                await self._in_service(served.supervisor.plugin, list(known))

    def _mount(self, served: ServedPlugin) -> None:
        self._mounts.put(served.serving, served.supervisor, self._settings)

    def _mount_the_waiting(self) -> None:
        """Mount the plugins that wait for their hook id, which may have become free."""
        for supervisor in self._mounts.waiting:
            self._mount(self._served[supervisor.plugin])

    def mounts_of(self, served: ServedPlugin) -> list[Mount]:
        return self._mounts.of(served.supervisor)

    def why_unmounted(self, served: ServedPlugin) -> str:
        """Why a plugin that runs has no endpoint; empty if it has one."""
        return "" if self.mounts_of(served) else self._mounts.why_not(served.serving, self._settings)

    # All plugins

    async def settled(self) -> None:
        """Wait until it is known for each plugin whether it runs, or that its environment must be built first. Builds
        are not waited for, because they may take long."""
        for served in list(self._served.values()):
            await served.supervisor.settled(built=False)

    async def stop(self, spent: float = 0.0) -> None:
        """Let all workers finish their requests, and end them. Returns when no process is left; no more are started.
        `spent` seconds of the workers' drain clocks have already passed."""
        self._is_ending = True
        async with asyncio.TaskGroup() as group:
            for served in self._served.values():
                group.create_task(served.supervisor.close(spent))
        while self._doing:
            await asyncio.wait(self._doing)

    def kill(self) -> None:
        """End every worker at once."""
        for supervisor in self.supervisors():
            supervisor.kill()

    def look(self, now: float) -> None:
        """Check all workers. To be called about once a second."""
        for served in self._served.values():
            with self._guarded(served.entry):
                served.supervisor.look(now)

    def supervisors(self) -> list[Supervisor]:
        """The supervisors of all plugins, including removed ones whose workers have not ended yet."""
        return [*(served.supervisor for served in self._served.values()), *self._leaving]


def _plugin(entry: Entry) -> Plugin:
    assert entry.plugin is not None
    return entry.plugin
