"""The daemon as a whole: builds every part, starts them, and stops them in order. The composition root."""

import asyncio
import gc
import os
import signal
import socket
from pathlib import Path

import structlog
import uvloop

from endpointd.errors import OperatorError
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.gateway import Gateway
from endpointd.gateway.http import HttpLimits
from endpointd.gateway.server import HttpServer, bind, build_server
from endpointd.notify import notify
from endpointd.plugins import Plugins
from endpointd.reports import Announce
from endpointd.scanning import scan
from endpointd.settings import Settings

GC_THRESHOLD = 10_000
"""New objects after which cycles among them are looked for; Python's default of 700 is a handful of requests."""

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
        self._plugins = Plugins(settings)
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
        self._plugins.serve(entries)
        telling = asyncio.create_task(self._tell(url))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            done, _ = await asyncio.wait({stopping, serving, telling}, return_when=asyncio.FIRST_COMPLETED)
            if telling in done:
                telling.result()
                await asyncio.wait({stopping, serving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            telling.cancel()
            await self._shut_down(serving)
        return 0

    def _build_server(self) -> HttpServer:
        settings = self._settings
        gateway = Gateway(self._plugins.mounts, self._clocks, settings.public_url)
        limits = HttpLimits(
            settings.limit_uri,
            settings.limit_header,
            settings.limit_connections,
            settings.clock_header,
            settings.clock_client_idle,
        )
        return build_server(
            gateway,
            self._clocks,
            limits,
            clock_keep_alive=settings.clock_keep_alive,
            clock_drain=settings.clock_drain,
            trusted_proxies=[str(network) for network in settings.trusted_proxies],
        )

    # Telling

    async def _tell(self, url: str) -> None:
        """When it is known what runs, say so: to the operator, to the log, to the service manager."""
        await self._plugins.settled()
        # What was imported and built stays for good. Without this, each full collection looks at all of it again and
        # stops every request for tens of milliseconds.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        base = self._settings.public_url or url
        reports = self._plugins.reports(base)
        for report in reports:
            if report.reasons:
                log.error("plugin.not_served", folder=report.folder, plugin=report.plugin, reasons=report.reasons)
            elif self._announce is None:
                log.info("plugin.served", plugin=report.plugin, urls=[location for _, location in report.interfaces])
        log.info("ready", url=url, plugins=sum(not report.reasons for report in reports))
        if self._announce is not None:
            self._announce(base, reports)
        notify(READY=1, X_ENDPOINTD_URL=url)

    # The end

    def _end(self) -> None:
        """The first signal ends the daemon when all is answered, the second at once."""
        self._signals += 1
        self._stop.set()
        self._server.stop(at_once=self._signals > 1)
        if self._signals > 1:
            self._plugins.kill()

    async def _shut_down(self, serving: "asyncio.Task[None]") -> None:
        """No new connections; answer what is under way; end the workers."""
        notify(STOPPING=1)
        log.info("stopping", in_flight=self._plugins.in_flight, at_most_seconds=self._settings.clock_drain)
        self._server.stop(at_once=self._signals > 1)
        try:
            await serving
        finally:
            self._clocks.stop()
            await self._plugins.stop()
            log.info("stopped")


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
