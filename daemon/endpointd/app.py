"""The daemon as a whole: builds every part, starts them, and stops them in order. The composition root."""

import asyncio
import gc
import os
import signal
import socket
from pathlib import Path

import structlog
import uvloop

from endpointd.catalog import Entry, settle
from endpointd.endpoints import automatic_endpoint
from endpointd.errors import OperatorError, UsageError
from endpointd.folder import PluginFolder
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.gateway import Gateway, Mount
from endpointd.gateway.http import HttpLimits
from endpointd.gateway.relay import RelayLimits
from endpointd.gateway.server import HttpServer, bind, build_server
from endpointd.loading import finding_of, order_for
from endpointd.manifest.findings import Severity
from endpointd.manifest.model import Plugin
from endpointd.manifest.reading import read_plugin
from endpointd.notify import notify
from endpointd.reports import Announce, PluginReport
from endpointd.routing import RouteTable
from endpointd.settings import PluginLimits, Settings
from endpointd.supervisor.state import Policy, State
from endpointd.supervisor.supervisor import Clocks as WorkerClocks
from endpointd.supervisor.supervisor import Supervisor

log = structlog.get_logger()


def run(settings: Settings, announce: Announce | None = None) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit status.

    `announce` is called once, with the base URL and a report for each folder, when it is known which plugins run.
    Raises `OperatorError` when the daemon cannot start.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(Daemon(settings, announce).run())


class Daemon:
    """One run of the daemon. `run` may be called once."""

    def __init__(self, settings: Settings, announce: Announce | None) -> None:
        self._settings = settings
        self._announce = announce
        self._clocks = Clocks()
        self._mounts: dict[str, Mount] = {}
        self._served: list[tuple[Entry, Supervisor | None]] = []
        self._signals = 0
        self._stop = asyncio.Event()

    async def run(self) -> int:
        entries = scan(self._settings.plugins)
        _make_state(self._settings.state)
        listener = _listen(self._settings)
        url = _url(listener)
        self._server = self._build_server()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._end)
        serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        for entry in entries:
            self._served.append((entry, self._serve(entry)))
        telling = asyncio.create_task(self._tell(url))
        stopping = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait({stopping, serving, telling}, return_when=asyncio.FIRST_COMPLETED)
        if telling in done:
            telling.result()
            await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        telling.cancel()
        await self._shut_down(serving)
        return 0

    def _build_server(self) -> HttpServer:
        settings = self._settings
        gateway = Gateway(self._mounts, self._clocks, settings.public_url)
        limits = HttpLimits(
            settings.limit_uri, settings.limit_header, settings.limit_connections, settings.clock_header
        )
        return build_server(
            gateway,
            self._clocks,
            limits,
            clock_keep_alive=settings.clock_keep_alive,
            clock_drain=settings.clock_drain,
            trusted_proxies=[str(network) for network in settings.trusted_proxies],
        )

    # Plugins

    def _serve(self, entry: Entry) -> Supervisor | None:
        """Start the plugin's worker and mount its endpoint; None when it cannot be served."""
        plugin = entry.plugin
        if plugin is None:
            return None
        limits = self._settings.for_plugin(plugin.id)
        order = order_for(self._settings.plugins / entry.folder, plugin, limits, development=self._settings.development)
        supervisor = Supervisor(
            plugin.id,
            order,
            WorkerClocks(limits.clock_queue, limits.clock_drain, limits.clock_cancel_grace, limits.restart_longest),
            limits.queue_size,
            Policy(limits.restart_limit, limits.restart_stable),
        )
        self._mount(plugin, supervisor, limits)
        supervisor.start()
        return supervisor

    def _mount(self, plugin: Plugin, supervisor: Supervisor, limits: PluginLimits) -> None:
        endpoint = automatic_endpoint(plugin) if self._settings.auto_endpoints else None
        if endpoint is None or endpoint.hook_id in self._mounts:
            return
        places = {source: place for place, source in enumerate(plugin.sources)}
        self._mounts[endpoint.hook_id] = Mount(
            endpoint,
            RouteTable(plugin.interfaces),
            tuple(places[interface.source] for interface in plugin.interfaces),
            supervisor,
            RelayLimits(
                self._settings.limit_body,
                limits.clock_first_byte,
                limits.clock_idle,
                limits.clock_total,
                limits.clock_client_idle,
            ),
        )

    # Telling

    async def _tell(self, url: str) -> None:
        """When it is known what runs, say so: to the operator, to the log, to the service manager."""
        for _, supervisor in self._served:
            if supervisor is not None:
                await supervisor.settled()
        # What was imported and built stays for good. Without this, each full collection looks at all of it again and
        # stops every request for tens of milliseconds.
        gc.collect()
        gc.freeze()
        base = self._settings.public_url or url
        reports = [self._report(entry, supervisor, base) for entry, supervisor in self._served]
        for report in reports:
            if report.reasons:
                log.error("plugin.not_served", folder=report.folder, plugin=report.plugin, reasons=report.reasons)
            elif self._announce is None:
                log.info("plugin.served", plugin=report.plugin, urls=[location for _, location in report.interfaces])
        log.info("ready", url=url, plugins=sum(not report.reasons for report in reports))
        if self._announce is not None:
            self._announce(base, reports)
        notify(READY=1, X_ENDPOINTD_URL=url)

    def _report(self, entry: Entry, supervisor: Supervisor | None, base: str) -> PluginReport:
        plugin = entry.plugin
        if plugin is None or supervisor is None:
            reasons = tuple(str(finding) for finding in entry.findings if finding.severity is Severity.ERROR)
            return PluginReport(entry.folder, None, (), reasons)
        if supervisor.life.state is not State.RUNNING:
            return PluginReport(entry.folder, plugin.id, (), _reasons(supervisor))
        mount = self._mounts.get(plugin.name)
        if mount is None or mount.supervisor is not supervisor:
            return PluginReport(entry.folder, plugin.id, (), (self._why_unmounted(plugin),))
        interfaces = tuple(
            (interface.method, f"{base}/e/{mount.endpoint.hook_id}{interface.path}")
            for interface in plugin.interfaces
            if not interface.hidden
        )
        return PluginReport(entry.folder, plugin.id, interfaces, ())

    def _why_unmounted(self, plugin: Plugin) -> str:
        if not self._settings.auto_endpoints:
            return "it has no endpoint, and auto_endpoints is off"
        if plugin.name in self._mounts:
            return f"/e/{plugin.name}/ belongs to the plugin {self._mounts[plugin.name].supervisor.plugin}"
        required = ", ".join(
            setting.name for setting in plugin.settings if setting.required and setting.default is None
        )
        return f"it has no endpoint of its own, because it requires settings: {required}"

    # The end

    def _end(self) -> None:
        """The first signal ends the daemon when all is answered, the second at once."""
        self._signals += 1
        self._stop.set()
        self._server.stop(at_once=self._signals > 1)
        if self._signals > 1:
            for _, supervisor in self._served:
                if supervisor is not None:
                    supervisor.kill()

    async def _shut_down(self, serving: "asyncio.Task[None]") -> None:
        """No new connections; answer what is under way; end the workers."""
        notify(STOPPING=1)
        in_flight = sum(supervisor.in_flight for _, supervisor in self._served if supervisor is not None)
        log.info("stopping", in_flight=in_flight, at_most_seconds=self._settings.clock_drain)
        self._server.stop(at_once=self._signals > 1)
        await serving
        self._clocks.stop()
        async with asyncio.TaskGroup() as group:
            for _, supervisor in self._served:
                if supervisor is not None:
                    group.create_task(supervisor.stop())
        log.info("stopped")


def scan(directory: Path) -> list[Entry]:
    """Every plugin folder in `directory`, read. Raises `OperatorError` when the directory cannot be listed."""
    try:
        names = [item.name for item in directory.iterdir() if item.is_dir() and not item.name.startswith((".", "__"))]
    except OSError as error:
        raise UsageError(
            "plugins_unreadable",
            f"the plugins directory {directory} cannot be read: {error.strerror}",
            "make it, or name another one with --plugins",
        ) from error
    return settle(_read(directory, name) for name in names)


def _read(directory: Path, name: str) -> Entry:
    reading = read_plugin(PluginFolder(directory / name))
    return Entry(name, reading.plugin, reading.findings)


def _reasons(supervisor: Supervisor) -> tuple[str, ...]:
    failure = supervisor.failure
    if failure is None:
        return (f"its worker is {supervisor.life.state}",)
    if failure.problems:
        return tuple(str(finding_of(problem)) for problem in failure.problems)
    return (f"{failure.message} [{failure.code}]", *failure.lines)


def _make_state(state: Path) -> None:
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        writable = os.access(state, os.W_OK | os.X_OK)
    except OSError as error:
        raise _state_error(state, error.strerror or str(error)) from error
    if not writable:
        raise _state_error(state, "it may not be written to")


def _state_error(state: Path, reason: str) -> OperatorError:
    return OperatorError(
        "state_unusable", f"the state directory {state} cannot be used: {reason}", "name another one with --state"
    )


def _listen(settings: Settings) -> socket.socket:
    try:
        return bind(*settings.listen_address)
    except OSError as error:
        raise OperatorError(
            "listen_failed",
            f"cannot listen on {settings.listen}: {error.strerror or error}",
            "end what uses the address, or name another one with --listen",
        ) from error


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
