"""Forks workers from a template: a process that has imported what all of them need (`endpointd_worker.template`).

There is one template, for the host's own interpreter. It is restarted when it ends. A worker that it cannot fork, for
whatever reason, is executed as a new program instead. Forked workers are children of the host like all others, and go
on when the template ends.
"""

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import structlog

from endpointd.supervisor import backoff, launch
from endpointd.supervisor.cgroups import cgroups
from endpointd.supervisor.leaf import Leaf
from endpointd.supervisor.output import OutputReader
from endpointd.supervisor.process import Ends, WorkerProcess, describe_exit, explained
from endpointd.supervisor.reaper import reaper
from endpointd.supervisor.users import Account

PATIENCE = 5.0
"""Seconds that forking a worker may take. It normally takes a thousandth of this."""

START = 15.0
"""Seconds that the template may take to import everything. Workers wait for it meanwhile, because they would have to
import the same."""

STABLE = 30.0
"""Seconds that a template has to live for its end to count as the first failure, rather than one more in a row."""

LONGEST_PAUSE = 60.0
"""The longest delay in seconds before the template is restarted."""

UNWILLING = 3
"""The template's exit status if there can be none with this interpreter."""

MAX_ORDER = 64 * 1024
"""The largest order in bytes, so that it fits into the socket's buffer at once."""

LENGTH = struct.Struct("!I")

log = structlog.get_logger()


class NotBorn(Exception):
    """The template has not forked the process; there is none."""


class Forks:
    """Starts workers. Until `start`, and while there is no template, it executes them rather than forks them. To be
    used in the thread of the event loop."""

    def __init__(self) -> None:
        self.forked = 0
        """How many workers were forked."""
        self.executed = 0
        """How many were executed."""
        self._template: WorkerProcess | None = None
        """The template, if it is ready to take orders."""
        self._decided = asyncio.Event()
        """Cleared while a template is starting: workers wait until it is set."""
        self._turn = asyncio.Lock()
        self._births: set[asyncio.Task[WorkerProcess | None]] = set()
        self._keeping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Forks from {self._template}: {self.forked} forked, {self.executed} executed>"

    @property
    def template(self) -> int | None:
        """The pid of the template, if it is ready to take orders."""
        return self._template.pid if self._template is not None else None

    # The daemon's life

    def start(self) -> None:
        """Keep a template running from now on. The reaper must have been started, so that forked workers become
        children of the host."""
        # New ones, because this object may be used in several event loops in turn, and they may not.
        self._decided = asyncio.Event()
        self._turn = asyncio.Lock()
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the template. To be called when all workers have ended."""
        if self._keeping is None:
            return
        if self._births:
            await asyncio.wait({*self._births})
        self._keeping.cancel()
        await asyncio.wait({self._keeping})
        self._keeping = None

    async def _keep(self) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            self._decided.clear()
            began = loop.time()
            try:
                status = await self._run()
                how = describe_exit(status, expected=False)
            except OSError as error:
                status, how = 0, f"could not be started: {error}"
            self._decided.set()
            if status == UNWILLING:
                log.info("template.not_used", because="the interpreter's own packages hold Dify's SDK")
                return
            failures = 1 if loop.time() - began > STABLE else failures + 1
            pause = backoff.delay(failures, LONGEST_PAUSE, 0.5)
            log.warning("template.ended", how=how, again_in_seconds=pause)
            await asyncio.sleep(pause)

    async def _run(self) -> int:
        """Start a template and wait for its end. Returns its exit status. Raises `OSError`."""
        process = WorkerProcess.spawn(launch.template_command(), Path("/"), launch.environment({}))
        reading: asyncio.ReadTransport | None = None
        try:
            _, reading = await OutputReader.attach(process.log, lambda line: log.warning("template.said", line=line))
            with contextlib.suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(START):
                    if await asyncio.get_running_loop().sock_recv(process.wire, 1):
                        self._template = process
            if self._template is None:
                process.kill()
            self._decided.set()
            return await process.wait()
        finally:
            self._template = None
            process.kill()
            await process.wait()
            process.wire.close()
            if reading is not None:
                reading.close()

    # Workers

    async def spawn(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        account: Account | None = None,
        leaf: Leaf | None = None,
    ) -> WorkerProcess:
        """Start a process: fork it if that is possible, else execute it. Parameters and errors are those of
        `WorkerProcess.spawn`. If this is cancelled, no process is left."""
        if self._keeping is not None and launch.can_be_forked(command, environment):
            birth = asyncio.create_task(self._bear(command, folder, environment, account, leaf))
            self._births.add(birth)
            birth.add_done_callback(self._births.discard)
            try:
                process = await asyncio.shield(birth)
            except asyncio.CancelledError:
                birth.add_done_callback(partial(_abandon, leaf))
                raise
            if process is not None:
                self.forked += 1
                return process
        self.executed += 1
        return WorkerProcess.spawn(command, folder, environment, account, leaf)

    async def _bear(
        self,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        account: Account | None,
        leaf: Leaf | None,
    ) -> WorkerProcess | None:
        """Fork a process. Returns None if the template did not fork it, so that it can be executed instead. Raises
        `OSError` if it cannot be started in any way."""
        who = None if account is None else (account.uid, account.gid, account.groups)
        order = {"command": [*command], "folder": str(folder), "environment": dict(environment), "account": who}
        text = json.dumps(order).encode()
        if len(text) > MAX_ORDER:
            return None
        try:
            async with self._turn:
                with Ends() as ends, reaper.birth():
                    pid = await self._ask(text, ends)
                    return WorkerProcess.adopt(pid, partial(_wait, pid), ends, leaf)
        except NotBorn as error:
            log.warning("template.no_birth", because=str(error))
            return None
        except OSError as error:
            if leaf is not None:
                cgroups.discard(leaf)
            if isinstance(error, PermissionError):
                raise explained(error, command, folder, account) from error
            # The process could not change into its folder.
            raise OSError(error.errno, error.strerror, str(folder)) from error

    async def _ask(self, text: bytes, ends: Ends) -> int:
        """Ask the template for a process with `ends`, and return its pid. Raises `OSError` if the process could not be
        set up, and `NotBorn` if there is none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START):
                await self._decided.wait()
        template = self._template
        if template is None:
            raise NotBorn("there is none at the moment")
        ours, theirs = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            try:
                _send(template.wire, text, [ends.their_wire.fileno(), ends.their_log, theirs])
            finally:
                os.close(theirs)
            async with asyncio.timeout(PATIENCE):
                return _pid(await _read_all(ours))
        except (BlockingIOError, ConnectionError, TimeoutError) as error:
            template.kill()
            raise NotBorn(f"it does not answer ({error!r})") from error
        finally:
            os.close(ours)


def _send(wire: socket.socket, text: bytes, descriptors: list[int]) -> None:
    """Send an order with file descriptors. Raises `BlockingIOError` if it does not fit into the socket's buffer."""
    whole = LENGTH.pack(len(text)) + text
    if socket.send_fds(wire, [whole], descriptors) < len(whole):
        raise BlockingIOError


def _pid(report: bytes) -> int:
    """The pid in the report of the template and its child. Raises `OSError` or `NotBorn`, as `Forks._ask`."""
    lines = report.split(b"\n")
    for line in lines:
        if line.startswith(b"E"):
            number = int(line[1:])
            raise OSError(number, os.strerror(number))
        if line.startswith(b"N"):
            raise NotBorn(f"it could not fork: {os.strerror(int(line[1:]))}")
    pids = [int(line[1:]) for line in lines if line.startswith(b"P")]
    if b"." not in lines or not pids:
        raise NotBorn("it has ended")
    return pids[0]


async def _read_all(descriptor: int) -> bytes:
    """Read until the pipe's write end is closed everywhere."""
    loop = asyncio.get_running_loop()
    whole = b""
    while True:
        readable = loop.create_future()
        loop.add_reader(descriptor, _set, readable)
        try:
            await readable
        finally:
            loop.remove_reader(descriptor)
        piece = os.read(descriptor, 1000)
        if not piece:
            return whole
        whole += piece


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _abandon(leaf: Leaf | None, birth: "asyncio.Task[WorkerProcess | None]") -> None:
    """Called when a process has been forked, or not, for a caller that was cancelled meanwhile: kill it."""
    process = None if birth.cancelled() or birth.exception() is not None else birth.result()
    if process is None:
        if leaf is not None:
            cgroups.discard(leaf)
        return
    process.kill()
    process.wire.close()
    os.close(process.log)


forks = Forks()
"""The only instance: a process has one set of children."""
