"""Runs a plugin in its own worker: the daemon without HTTP and without restarts."""

import asyncio
import logging
import sys
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from endpointd.endpoints import Endpoint
from endpointd.folders.folder import PluginFolder
from endpointd.gateway.problems import Problem
from endpointd.manifest.findings import finding_of, one_line
from endpointd.manifest.model import Plugin
from endpointd.manifest.reading import read_plugin
from endpointd.manifest.values import check_values
from endpointd.plugins.loading import order_for
from endpointd.plugins.routing import RouteTable
from endpointd.settings.plugin_limits import PluginLimits
from endpointd.supervisor.worker import StartFailed, Worker, WorkerOrder
from endpointd.testing.lines import Lines
from endpointd.testing.loop import BackgroundLoop
from endpointd.testing.relay import Relay
from endpointd.testing.session import FakeSession
from endpointd_wire.errors import LocalWireError
from endpointd_wire.messages import Log, Request

ResultT = TypeVar("ResultT")

END_SECONDS = 1.0
"""Seconds that open requests get at the end of a test, and then the process to exit before it is killed."""


class PluginHost:
    """Serves the plugin in `folder` from its construction until `stop`.

    The constructor raises AssertionError, with the findings, if the plugin cannot be loaded or the settings are not
    valid for it.
    """

    def __init__(
        self,
        folder: Path,
        settings: Mapping[str, object],
        env: Mapping[str, str],
        session: FakeSession,
        *,
        timeout: float,
    ) -> None:
        self.plugin = _read(folder)
        self.endpoint = _endpoint(self.plugin, settings)
        self.routes = RouteTable(self.plugin.interfaces)
        self.lines = Lines()
        self.timeout = timeout
        self._freed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sessions, self._storage = session.serve()
        limits = PluginLimits(env=dict(env))
        order = replace(order_for(folder, self.plugin, limits, development=True), clock_kill=END_SECONDS)
        self._loop: BackgroundLoop | None = BackgroundLoop(f"worker of {self.plugin.name}")
        try:
            self._worker = self._loop.run(self._start(order))
        except BaseException:
            self._loop.close()
            raise

    def __repr__(self) -> str:
        return f"<PluginHost {self.plugin.identity}: {self._worker!r}>"

    @property
    def pid(self) -> int | None:
        return self._worker.pid

    def source(self, interface: int) -> int:
        """The index of an interface's source among those that the worker has loaded."""
        return self.plugin.sources.index(self.plugin.interfaces[interface].source)

    def log(self) -> str:
        return "\n".join(self.lines.all())

    # Requests; called by tests

    def open(self, request: Request, rest: bytes) -> Relay:
        """Send a request on a new stream, and then `rest`, the body after its first piece.

        Raises `Problem` if it cannot be sent; AssertionError if all places are taken and none becomes free in time.
        """
        return self.wait(self._open(request, rest), "a free place: close the responses that are open")

    def wait(self, coroutine: Coroutine[Any, Any, ResultT], what: str) -> ResultT:
        """Run `coroutine` in the worker's loop and return its result. Raises AssertionError if it takes too long or the
        worker was ended; `what` says what the test waits for."""
        if self._loop is None:
            coroutine.close()
            raise AssertionError(f"the worker of {self.plugin.id} was ended, and is asked for {what}")
        try:
            return self._loop.run(coroutine, self.timeout)
        except TimeoutError:
            text = f"{self.plugin.id} made the test wait more than {self.timeout:g} s for {what}"
            raise AssertionError(f"{text}\n{self.log()}".rstrip()) from None

    def cancel(self, relay: Relay, reason: str) -> None:
        """Cancel an answer; does nothing if it is over."""
        if self._loop is not None:
            self._loop.call(relay.cancel, reason)

    def stop(self) -> None:
        """End the worker: its open requests are cancelled, and it has `END_SECONDS` to finish them. May be called
        again.
        """
        loop, self._loop = self._loop, None
        if loop is not None:
            try:
                loop.run(self._end())
            finally:
                loop.close()
                self.lines.end()

    # In the worker's loop

    async def _start(self, order: WorkerOrder) -> Worker:
        answer = self._sessions.answer
        worker = Worker(order, self.lines.add, self._record, self._freed.set, lambda *_: None, answer)
        try:
            await worker.start(Path(sys.executable))
        except StartFailed as error:
            findings = [str(finding_of(problem)) for problem in error.problems] or [f"{error.message} [{error.code}]"]
            text = "\n".join([f"{order.folder} cannot be loaded:", *findings, *self.lines.all()])
            raise AssertionError(text) from None
        return worker

    def _record(self, record: Log) -> None:
        self.lines.add(f"{logging.getLevelName(record.level)} {record.logger}: {record.text}")

    async def _open(self, request: Request, rest: bytes) -> Relay:
        channel = self._worker.channel
        while channel.is_open and not self._worker.free_places():
            self._freed.clear()
            await self._freed.wait()
        if not channel.is_open:
            raise Problem(502, "worker_gone", f"the plugin's worker {await self._worker.ended()}", self.plugin.id)
        try:
            exchange = channel.open(lambda stream: request._replace(stream=stream))
        except LocalWireError as error:
            raise Problem(500, "request_too_large", str(error), self.plugin.id) from error
        relay = Relay(exchange, request.method, self.plugin.id)
        if rest:
            task = asyncio.create_task(relay.send_body(rest))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return relay

    async def _end(self) -> None:
        for exchange in list(self._worker.channel.exchanges.values()):
            exchange.cancel("the test is over")
        await self._worker.drain(END_SECONDS)
        await self._storage.close()


def _read(folder: Path) -> Plugin:
    reading = read_plugin(PluginFolder(folder))
    if reading.plugin is None:
        text = "\n".join([f"{folder} is no plugin that can be loaded:", *map(str, reading.errors)])
        raise AssertionError(text)
    return reading.plugin


def _endpoint(plugin: Plugin, settings: Mapping[str, object]) -> Endpoint:
    """The endpoint, with the plugin's name as its hook id. Values are checked like an operator's."""
    faults = check_values(plugin.settings, settings)
    if faults:
        text = "\n".join(
            [f"these settings cannot be given to {plugin.id}:", *(one_line(str(fault)) for fault in faults)]
        )
        raise AssertionError(text)
    return Endpoint.make(plugin.name, plugin, settings)
