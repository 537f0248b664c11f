"""The composition root: builds all parts of the daemon, starts them, and stops them in order."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog
import uvloop

from endpointd import __version__
from endpointd.access.tokens import Tokens, opened_tokens
from endpointd.admin.server import AdminServer
from endpointd.admin.services import Services
from endpointd.backends.switchboard import Switchboard
from endpointd.console.opening import console_of
from endpointd.console.parts import Parts
from endpointd.console.samples import Samples
from endpointd.endpoints.book import Book
from endpointd.endpoints.following import FileFollower
from endpointd.endpoints.registry import Registry
from endpointd.endpoints.secret_keys import SecretKeys
from endpointd.environments.service import environments_of
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.gateway import Gateway
from endpointd.gateway.limits import HttpLimits
from endpointd.gateway.server import HttpServer, build_server
from endpointd.installing import staging
from endpointd.installing.placing import recover
from endpointd.observe.observation import Observation
from endpointd.observe.requests import RequestLog
from endpointd.plugins.following import FolderFollower
from endpointd.plugins.housekeeping import Housekeeping
from endpointd.plugins.intake import Intake
from endpointd.plugins.operations import Operations
from endpointd.plugins.pins import Pins
from endpointd.plugins.plugins import Plugins
from endpointd.plugins.releases import Releases
from endpointd.plugins.reporting import log_reports, report
from endpointd.plugins.reports import Announce, PluginReport
from endpointd.plugins.rollbacks import Rollbacks
from endpointd.premises import check_user, make_state
from endpointd.sessions.dispatch import Sessions
from endpointd.sessions.storage import Storage
from endpointd.settings.reconfiguring import Reconfiguring
from endpointd.settings.settings import Settings
from endpointd.sockets.descriptors import Exhaustion, for_clients, raise_limit
from endpointd.sockets.listeners import first_url, listeners_of, proxies_of, take_over
from endpointd.sockets.tls import certificate_of
from endpointd.storage import key_rotation, open_store, open_values
from endpointd.supervisor.cgroups import cgroups
from endpointd.supervisor.delegation import find
from endpointd.supervisor.forks import forks
from endpointd.supervisor.reaper import reaper
from endpointd.systemd.manager import Manager
from endpointd.threads import start_threads
from endpointd.tracing.opening import Tracing

if TYPE_CHECKING:
    from endpointd.store.endpoint_store import EndpointStore

GC_THRESHOLD = 10_000
"""The number of new objects after which the garbage collector runs. Python's default is 700, which would mean a run
every few requests."""

LOOK = 1.0
"""The seconds between two periodic checks of the workers and other parts (`_look`)."""

MARGIN = 15.0
"""The seconds that shutdown may take in addition to the timeouts of requests and workers: for running commands, the
database and the disk."""

log = structlog.get_logger()


def run(
    settings: Settings,
    announce: Announce | None = None,
    reload: Callable[[], Settings] | None = None,
    given: Mapping[str, Any] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT, and return the exit status. Raises `OperatorError` if the daemon cannot start.

    `announce` is called once, with the base URL and a report for each folder, when it is known which plugins run.
    `reload` returns the settings, read again; it is called on SIGHUP or an operator's request, and may raise
    `OperatorError`. `given` are values for the settings of plugins' automatic endpoints (see `Mounts`); None where no
    values can be given.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Daemon(settings, announce, reload or (lambda: settings), given).run())


class Daemon:
    """One run of the daemon. `run` may be called once."""

    def __init__(
        self,
        settings: Settings,
        announce: Announce | None,
        reload: Callable[[], Settings],
        given: Mapping[str, Any] | None,
    ) -> None:
        self._announce = announce
        self._manager = Manager()
        self._switchboard = Switchboard()
        self._configuration = Reconfiguring(
            settings, lambda: self._reread(reload), self._hold_to, self._switchboard, self._manager
        )
        self._clocks = Clocks()
        self._limits = HttpLimits.of(settings)
        self._releases = None if settings.development else Releases(settings.state / "releases")
        intake = Intake(settings.plugins, self._releases, settings.state)
        pins = Pins(settings.state / "pins.json")
        self._rollbacks = Rollbacks(pins, self._releases, intake, lambda: self._settings.releases_kept)
        self._book = Book()
        self._environments = environments_of(lambda: self._settings)
        self._storage = Storage(
            lambda: open_values(settings, self._observation.store), lambda: self._settings.limit_storage
        )
        requests = RequestLog(self._book.name_at)
        self._tracing = Tracing(settings, requests.endpoint_of)
        sessions = Sessions(self._storage, self._switchboard.find)
        self._plugins = Plugins(
            settings,
            self._rollbacks.choose,
            self._rollbacks.in_service,
            self._book,
            self._environments,
            self._tracing.around(sessions.answer),
            given,
        )
        self._observation = Observation(self._plugins, sessions.tallies, lambda: self._settings, self._tracing.counts)
        if settings.log_requests:
            self._observation.trips.tell = requests.tell
        self._tracing.follow(self._observation.trips)
        self._follower = FolderFollower(settings.plugins, intake, self._plugins, self._rollbacks.prepare)
        self._operations = Operations(
            settings.plugins,
            self._plugins,
            self._follower,
            self._rollbacks,
            lambda: self._base,
            self._configuration.reload,
        )
        self._samples = Samples()
        self._base = settings.public_url or ""
        self._url = ""
        self._declared: FileFollower | None = None
        self._signals = 0
        self._stop = asyncio.Event()
        self._begun = asyncio.Event()

    @property
    def _settings(self) -> Settings:
        """The settings that are in effect now."""
        return self._configuration.settings

    def _reread(self, reload: Callable[[], Settings]) -> Settings:
        """Read the settings again, and the certificate too, even if it was refused before: operators usually reload
        because they have just corrected or renewed something."""
        settings = reload()
        if self._certificate is not None:
            self._certificate.renew(again=True)
        return settings

    def _hold_to(self, settings: Settings) -> None:
        """Apply settings that were read again. Only for parts that keep a copy; the others read `_settings` when they
        need one."""
        self._limits.become(_limits_of(settings))
        self._admin.hold_to(settings)
        self._plugins.apply(settings)

    async def run(self) -> int:
        settings = self._settings
        raise_limit()
        await start_threads()
        self._limits.become(_limits_of(settings))
        # Before any child process is started, because children must not inherit the sockets.
        handed = take_over()
        make_state(settings.state)
        check_user(settings)
        await self._switchboard.change(settings)
        certificate = self._certificate = self._observation.certificate = certificate_of(settings)
        self._admin = AdminServer(settings, certificate.context if certificate else None)
        async with AsyncExitStack() as ends:
            # Report to the service manager from now on, because opening or migrating a large database takes time.
            telling = asyncio.create_task(self._manager.run(self._observation.states))
            ends.callback(telling.cancel)
            ends.push_async_callback(self._admin.stop)
            endpoints, store = await ends.enter_async_context(self._endpoints())
            tokens = await ends.enter_async_context(opened_tokens(store.tokens))
            self._admin.serve(self._services(endpoints, store, tokens))
            self._listeners = listeners_of(settings, handed)
            ends.callback(self._listeners.remove_files)
            await self._serve_until_stopped()
        return 0

    def _services(self, endpoints: Registry, store: "EndpointStore", tokens: Tokens) -> Services:
        """The services behind the admin API."""
        return Services(
            self._operations,
            lambda: self._base,
            self._settings.plugins.absolute(),
            endpoints,
            SecretKeys(endpoints.alone, *key_rotation(self._settings, store)),
            tokens,
            environments=Housekeeping(self._plugins, self._rollbacks, self._environments),
            observed=self._observation,
            console=console_of(self._parts_of_console(endpoints, tokens)),
            limit_package=lambda: self._settings.limit_package,
        )

    def _parts_of_console(self, endpoints: Registry, tokens: Tokens) -> Parts:
        return Parts(
            self._operations,
            endpoints,
            tokens,
            self._samples,
            lambda: self._base,
            lambda: self._url,
            self._settings.state,
            lambda: self._settings.limit_package,
            __version__,
        )

    @asynccontextmanager
    async def _endpoints(self) -> AsyncIterator[tuple[Registry, "EndpointStore"]]:
        """Open the store and load the operators' endpoints, before any plugin is read; close everything at the end.
        Raises `OperatorError`."""
        file = self._settings.endpoints_file and self._settings.endpoints_file.absolute()
        store = await asyncio.to_thread(open_store, self._settings, self._observation.store)
        registry = Registry(store, self._book, self._plugins, lambda: self._base, file=file)
        try:
            await registry.load()
            self._declared = None if file is None else FileFollower(file, registry)
            yield registry, store
        finally:
            await registry.stop()
            await self._switchboard.close()
            await self._storage.close()
            await asyncio.to_thread(store.close)

    async def _serve_until_stopped(self) -> None:
        await asyncio.to_thread(self._clean)
        cgroups.start(find())
        reaper.start()
        if self._settings.fork_server:
            forks.start()
        url = self._url = first_url(self._listeners, encrypted=self._certificate is not None)
        self._base = self._settings.public_url or url
        self._server = self._build_server()
        self._take_signals()
        serving = asyncio.create_task(self._serve())
        stopping = asyncio.create_task(self._stop.wait())
        tasks = [asyncio.create_task(work) for work in (self._administer(), self._begin(url), self._look())]
        if self._certificate is not None:
            tasks.append(asyncio.create_task(self._certificate.follow()))
        try:
            await self._until({stopping, serving}, tasks)
        finally:
            stopping.cancel()
            for task in tasks:
                task.cancel()
            await self._shut_down(serving)

    async def _until(self, ends: set["asyncio.Task[object]"], tasks: list["asyncio.Task[None]"]) -> None:
        """Wait until one of `ends` is done. If one of `tasks` fails before, its exception is raised."""
        pending: set[asyncio.Task[object]] = {*tasks}
        while True:
            done, _ = await asyncio.wait(ends | pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done & pending:
                task.result()
            pending -= done
            if done & ends:
                return

    def _clean(self) -> None:
        """Remove what a killed daemon has left behind, and undo its unfinished installations."""
        if self._releases is not None:
            self._releases.clean()
        self._environments.clean()
        undone = list(recover(self._settings.plugins))
        if undone:
            log.warning("installations.undone", folders=undone)
        staging.clean(self._settings.plugins)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        loop.add_signal_handler(signal.SIGHUP, self._configuration.soon)

    def _build_server(self) -> HttpServer:
        settings = self._settings
        gateway = Gateway(
            self._plugins.mounts,
            self._clocks,
            settings.public_url,
            self._plugins.refusal,
            self._observation.trips,
            self._observation.pages() if settings.public_health else None,
        )
        return build_server(
            gateway,
            self._clocks,
            self._limits,
            proxies_of(settings),
            self._certificate.context if self._certificate else None,
        )

    # The run

    async def _serve(self) -> None:
        """Accept connections once the plugins are known; an earlier answer "no such endpoint" could be wrong. Until
        then clients wait in the queues of the listening sockets."""
        await self._begun.wait()
        await self._server.serve(sockets=self._listeners.sockets)

    async def _administer(self) -> None:
        await self._admin.begun()
        # The admin server's modules also stay for good, and may be imported after the freeze in `_tell`.
        gc.freeze()

    async def _begin(self, url: str) -> None:
        """Serve the plugins that are there, report which of them run, and then follow changes of the directory."""
        await self._follower.begin()
        if self._declared is not None:
            await self._declared.begin()
        self._begun.set()
        self._observation.judge.begin()
        await self._plugins.settled()
        self._tell(url)
        async with asyncio.TaskGroup() as group:
            if self._declared is not None:
                group.create_task(self._declared.run())
            if self._settings.watch != "off":
                group.create_task(self._follower.run(poll=True if self._settings.watch == "poll" else None))

    def _tell(self, url: str) -> None:
        """Report which plugins run: to the operator, the log and the service manager."""
        # The objects that exist now stay for good. Without this, each full garbage collection would traverse them all
        # and stop every request for tens of milliseconds. Not preceded by a collection: there is hardly any garbage.
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        reports = self._reports()
        log_reports(reports, url, shown=self._announce is not None)
        if self._announce is not None:
            self._announce(self._base, reports)
        self._manager.ready(url)

    def _reports(self) -> list[PluginReport]:
        served = self._plugins.served
        return [
            report(status, self._plugins.why_unmounted(served[status.id]) if status.id else "")
            for status in self._operations.statuses()
        ]

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        exhaustion = Exhaustion()
        while True:
            wanted = loop.time() + LOOK
            await asyncio.sleep(LOOK)
            now = loop.time()
            self._observation.look(now - wanted)
            self._tracing.look()
            self._plugins.look(now)
            self._samples.look(now, {name: served.supervisor for name, served in self._plugins.served.items()})
            exhaustion.look()

    # The end

    def _end(self) -> None:
        """Handle SIGTERM or SIGINT: the first one stops the daemon after running requests, the second one at once."""
        self._signals += 1
        self._stop.set()
        self._server.stop(at_once=self._signals > 1)
        if self._signals > 1:
            self._plugins.kill()

    async def _shut_down(self, serving: "asyncio.Task[None]") -> None:
        """Accept no more connections, finish running requests, and end the workers."""
        self._observation.judge.end()
        loop = asyncio.get_running_loop()
        began = loop.time()
        settings = [self._settings, *self._settings.plugin.values()]
        # After draining, a worker has clock_kill seconds to exit by itself, and as long again after it is asked to.
        self._manager.stopping(max(one.clock_drain + 2 * one.clock_kill for one in settings) + MARGIN)
        log.info("stopping", in_flight=self._plugins.in_flight, at_most_seconds=self._settings.clock_drain)
        self._server.stop(at_once=self._signals > 1)
        self._begun.set()
        try:
            await serving
        finally:
            self._clocks.stop()
            # The time that clients have already had counts for the workers' clock_drain too.
            await self._plugins.stop(spent=loop.time() - began)
            await self._environments.close()
            await forks.stop()
            await reaper.stop()
            await cgroups.stop()
            await self._tracing.stop()
            log.info("stopped")


def _limits_of(settings: Settings) -> HttpLimits:
    return replace(HttpLimits.of(settings), connections=for_clients(settings.limit_connections))
