"""Workers that are forked from a template, which has imported what they all need (`endpointd_worker.template`).

There is one template, for the host's own interpreter. It is started anew when it has ended; a worker that it cannot
make, for whatever reason, is executed as if there were none. Workers that it has made are children of the host like
any others, and do not notice its end.
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
"""Seconds that a birth may take: a thousand times what it takes."""

START = 15.0
"""Seconds that the template may take to import everything. Workers wait for it meanwhile: they would have to import the
same."""

STABLE = 30.0
"""Seconds that a template has to live for its end to count as the first one."""

LONGEST_PAUSE = 60.0
"""Seconds between two attempts to have one."""

UNWILLING = 3
"""Its exit status when there can be none on this interpreter."""

MAX_ORDER = 64 * 1024
"""Bytes of an order, so that it fits into the socket at once."""

LENGTH = struct.Struct("!I")

log = structlog.get_logger()


class NotBorn(Exception):
    """The template has not made the process; there is none."""


class Forks:
    """Executes every worker until `start`. To be used in the thread of the event loop."""

    def __init__(self) -> None:
        self.forked = 0
        """How many workers were forked."""
        self.executed = 0
        """How many were executed."""
        self._template: WorkerProcess | None = None
        """One that takes orders."""
        self._decided = asyncio.Event()
        """Set when none is about to be ready."""
        self._turn = asyncio.Lock()
        self._births: set[asyncio.Task[WorkerProcess | None]] = set()
        self._keeping: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Forks from {self._template}: {self.forked} forked, {self.executed} executed>"

    @property
    def template(self) -> int | None:
        """The pid of the template that takes orders."""
        return self._template.pid if self._template is not None else None

    # The daemon's life

    def start(self) -> None:
        """Have a template from now on. The reaper has been started: the host is whom orphans fall to."""
        # It may be used in one event loop after another, which events and locks may not.
        self._decided = asyncio.Event()
        self._turn = asyncio.Lock()
        self._keeping = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the template; for when all workers have ended."""
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
        """The life of one template; returns its exit status. Raises `OSError`."""
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
        """As `WorkerProcess.spawn`, which does it when the template cannot. Whoever is cancelled gets no process, and
        none is left."""
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
        """A new process; None when the template has not made it. Raises `OSError`: it cannot be made."""
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
            # It is the folder that the process could not enter.
            raise OSError(error.errno, error.strerror, str(folder)) from error

    async def _ask(self, text: bytes, ends: Ends) -> int:
        """The pid of a new process with `ends`. Raises `OSError` when it could not be set up, and `NotBorn`."""
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
    """Raises `BlockingIOError` when it does not go at once."""
    whole = LENGTH.pack(len(text)) + text
    if socket.send_fds(wire, [whole], descriptors) < len(whole):
        raise BlockingIOError


def _pid(report: bytes) -> int:
    """The pid that the template and its child have reported. Raises `OSError`, or `NotBorn`."""
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
    """What comes until all have closed the pipe's other end."""
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
    """Nobody wants the process any more."""
    process = None if birth.cancelled() or birth.exception() is not None else birth.result()
    if process is None:
        if leaf is not None:
            cgroups.discard(leaf)
        return
    process.kill()
    process.wire.close()
    os.close(process.log)


forks = Forks()
"""This process's own: it has one set of children."""
