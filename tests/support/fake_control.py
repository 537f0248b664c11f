"""A daemon's plugins that are nothing but their status, and the real admin server before them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar

import uvloop

from endpointd.access.service import TokenControl
from endpointd.admin.server import AdminServer
from endpointd.admin.services import Services
from endpointd.endpoints.service import EndpointControl
from endpointd.errors import OperatorError, PluginUnknown
from endpointd.logs.journal import Journal
from endpointd.plugins.status import FailureStatus, InstalledStatus, InterfaceStatus, PluginStatus, WorkerStatus
from endpointd.settings.names import LogLevel
from endpointd.settings.settings import Settings

T = TypeVar("T")

WORKER = WorkerStatus(4711, "sha-new", 75.5, 2, 41, 34 * 1024 * 1024, 1.25)
NEKO = PluginStatus(
    folder="neko",
    id="acme/neko",
    version="1.2.0",
    state="RUNNING",
    since=1_700_000_000.0,
    release="sha-new",
    previous_releases=("sha-old", "sha-older"),
    worker=WORKER,
    workers=(WORKER,),
    in_flight=2,
    queued=1,
    requests=99,
    restarts=3,
    interfaces=(
        InterfaceStatus("GET", "http://127.0.0.1:8080/e/neko/"),
        InterfaceStatus("HEAD", "http://127.0.0.1:8080/e/neko/"),
    ),
)
BROKEN = PluginStatus(
    folder="broken-folder",
    id="acme/broken",
    version="0.1.0",
    state="FATAL",
    since=1_700_000_100.0,
    failure=FailureStatus(
        "load_failed", "the plugin cannot be loaded", 1_700_000_100.0, ("a.py:1: no",), ("Trace\nback",)
    ),
)
REFUSED = PluginStatus("half", None, None, "REFUSED", None, findings=("manifest.yaml: there is none [file_missing]",))


class FakeControl:
    """Does at once what it is asked, unless it is told to fail or to wait. `calls` holds what it was asked."""

    def __init__(self, *statuses: PluginStatus) -> None:
        self.plugins = {status.id or status.folder: status for status in statuses}
        self.calls: list[tuple[object, ...]] = []
        self.failure: Exception | None = None
        self.does_nothing = False
        """Whether `start` changes nothing and says so by the status alone."""
        self.gate: asyncio.Event | None = None
        self.journals = {plugin_id: Journal(now=count(1_700_000_000.25).__next__) for plugin_id in self.plugins}
        self.archive = b""
        self.level: LogLevel = "info"
        self.warnings: tuple[str, ...] = ()
        """Of what is installed."""

    def statuses(self) -> list[PluginStatus]:
        return list(self.plugins.values())

    def status(self, plugin_id: str) -> PluginStatus:
        if plugin_id not in self.plugins:
            raise PluginUnknown(plugin_id, self.plugins)
        return self.plugins[plugin_id]

    def journal(self, plugin_id: str) -> Journal:
        self.status(plugin_id)
        return self.journals[plugin_id]

    async def start(self, plugin_id: str) -> PluginStatus:
        if self.does_nothing:
            return self.status(plugin_id)
        return await self._become("start", plugin_id, state="RUNNING")

    async def stop(self, plugin_id: str) -> PluginStatus:
        return await self._become("stop", plugin_id, state="STOPPED")

    async def restart(self, plugin_id: str) -> PluginStatus:
        return await self._become("restart", plugin_id, state="RUNNING")

    async def rollback(self, plugin_id: str, release: str | None) -> PluginStatus:
        return await self._become("rollback", plugin_id, release or "sha-old", release=release or "sha-old")

    async def install(self, archive: BinaryIO, *, replace: bool) -> InstalledStatus:
        self.archive = archive.read()
        return InstalledStatus.of(await self._become("install", "acme/neko", replace), None, None, ())

    async def install_package(self, package: BinaryIO, *, replace: bool) -> InstalledStatus:
        self.archive = package.read()
        status = await self._become("install package", "acme/neko", replace)
        return InstalledStatus.of(status, "acme/neko:1.2.0@0123", None, self.warnings)

    async def uninstall(self, plugin_id: str) -> None:
        await self._become("uninstall", plugin_id)
        del self.plugins[plugin_id]

    def log_level(self) -> LogLevel:
        return self.level

    def set_log_level(self, level: LogLevel | None) -> LogLevel:
        self.level = level or "info"
        return self.level

    async def reload_configuration(self) -> list[str]:
        self.calls.append(("reload",))
        if self.failure is not None:
            raise self.failure
        return ["listen"]

    async def _become(self, action: str, plugin_id: str, *details: object, **changes: object) -> PluginStatus:
        status = self.status(plugin_id)
        self.calls.append((action, plugin_id, *details))
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        self.plugins[plugin_id] = replace(status, **changes)  # type: ignore[arg-type]
        return self.plugins[plugin_id]


class AdminHost:
    """An event loop in a thread, with the real server on the socket of `state`."""

    def __init__(
        self,
        state: Path,
        control: FakeControl,
        endpoints: EndpointControl | None = None,
        tokens: TokenControl | None = None,
        **settings: object,
    ) -> None:
        self.state = state
        self.plugins = state / "plugins"
        self._tokens = tokens
        self.control = control
        self.endpoints = endpoints
        self._settings = Settings.model_validate({"state": state, **settings})
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="admin-host", daemon=True)
        self._server: AdminServer | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._server = AdminServer(self._settings)
            services = Services(
                self.control, lambda: "http://127.0.0.1:8080", self.plugins, self.endpoints, tokens=self._tokens
            )
            self.do(partial(self._server.serve, services))
        except OperatorError:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._end()

    def wait_until_served(self) -> None:
        assert self._server is not None
        self.do(self._server._wanted.set)
        assert self._server._serving is not None
        self._wait(asyncio.wait_for(self._server._serving, 20))

    def stop(self) -> None:
        """End the server. Once more does nothing."""
        server, self._server = self._server, None
        if server is not None:
            self._wait(server.stop())

    def do(self, action: Callable[[], T]) -> T:
        """Run `action` in the loop's thread, and wait for it."""
        done: Future[T] = Future()
        self._loop.call_soon_threadsafe(lambda: done.set_result(action()))
        return done.result(10)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
