"""One worker from start to end: its process, the channel to it, the handshake, and its output."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from endpointd.channel.channel import Channel
from endpointd.channel.exchange import Exchange
from endpointd.environments.needs import Needs
from endpointd.sessions.caller import NOBODY, Caller
from endpointd.sessions.calls import CallDesk
from endpointd.sessions.dispatch import AnswerCall, refuse
from endpointd.supervisor import launch
from endpointd.supervisor.cgroups import cgroups
from endpointd.supervisor.forks import forks
from endpointd.supervisor.launch import NO_LIMITS
from endpointd.supervisor.limits import ProcessLimits
from endpointd.supervisor.output import LAST_WORDS, OutputReader
from endpointd.supervisor.pings import Pings
from endpointd.supervisor.process import WorkerProcess, describe_exit
from endpointd.supervisor.users import Account
from endpointd_wire.connection import WIRE_VERSION
from endpointd_wire.errors import RemoteWireError
from endpointd_wire.messages import Drain, Drained, Hello, Load, LoadFailed, Log, Message, Ping, Pong, Ready
from endpointd_wire.states import CALL_MESSAGES, Phase


@dataclass(frozen=True, slots=True)
class WorkerOrder:
    """What a worker is to run. `sources` are paths relative to `folder`, each with the manifest key that names it.
    Clocks (timeouts) are in seconds."""

    folder: Path
    sources: tuple[tuple[str, str], ...]
    environment: dict[str, str]
    concurrency: int
    development: bool
    clock_start: float
    clock_kill: float
    clock_ping: float = 0.0
    limits: ProcessLimits = NO_LIMITS
    account: Account | None = None
    caller: Caller = NOBODY
    """On whose behalf the worker makes session calls."""
    release: str | None = None
    """The digest of the contents of `folder`; None if these may change while the worker runs (development mode)."""
    needs: Needs | None = None
    """What its Python environment has to contain; None if it runs on the host's interpreter and packages."""
    clock_build: float = 0.0
    value_error_is_404: bool = False
    concurrency_async: int = 0
    """Replaces `concurrency` if the plugin's requests all run as tasks of an event loop; 0 means the same number."""


class StartFailed(Exception):
    """The worker did not become ready. `problems` are those of `LoadFailed`, if the worker got that far. `lasting` says
    that another try would fail too."""

    def __init__(
        self, code: str, message: str, problems: list[dict[str, Any]] | None = None, *, lasting: bool = False
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.problems = problems or []
        self.lasting = lasting


def _plain(problems: Sequence[object]) -> list[dict[str, Any]]:
    """The part of a worker's `problems` that can be shown and logged. They may contain anything, because a plugin's
    code may have sent them."""
    kept = (problem for problem in problems if isinstance(problem, dict))
    return [{k: v for k, v in problem.items() if type(k) is str and type(v) in (str, int)} for problem in kept]


class Worker:
    """Callbacks: `output` gets each line that the plugin writes, and `record` each record of its `logging`. `freed` is
    called when places are free again, and `cancelled` with an exchange that the worker was told to cancel. `answer`
    answers the plugin's session calls."""

    def __init__(
        self,
        order: WorkerOrder,
        output: Callable[[str], None],
        record: Callable[[Log], None],
        freed: Callable[[], None],
        cancelled: Callable[["Worker", Exchange], None],
        answer: AnswerCall = refuse,
    ) -> None:
        self.order = order
        self.python: Path | None = None
        """The interpreter on which it runs; None before `start`."""
        self.classes: tuple[str, ...] = ()
        self._places = order.concurrency
        self._output = output
        self._record = record
        self._channel = Channel(self._control, freed, self._cancel, self._lost)
        self._calls = CallDesk(self._channel, partial(answer, order.caller))
        self._cancelled = cancelled
        self._messages: asyncio.Queue[Hello | Ready | LoadFailed] = asyncio.Queue(maxsize=4)
        self._closed = asyncio.Event()
        self._fault: RemoteWireError | None = None
        self._process: WorkerProcess | None = None
        self._end: asyncio.Task[str] | None = None
        self._drained = asyncio.Event()
        self._killed = False
        self._freed = freed
        self._pings = Pings(order.clock_ping)

    def __repr__(self) -> str:
        return f"<Worker {self.pid}: {self._channel.connection.phase.value}, {self.in_flight} in flight>"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def in_flight(self) -> int:
        return len(self._channel.exchanges)

    @property
    def is_busy(self) -> bool:
        """Whether it has open requests or open session calls. The plugin's own threads may make such calls too."""
        return bool(self._channel.exchanges) or len(self._calls) > 0

    @property
    def requests(self) -> int:
        """How many requests it was given so far."""
        return self._channel.connection.next_stream() - 1

    @property
    def verdict(self) -> str:
        """The error code for an unexpected end."""
        return "worker_unresponsive" if self._pings.is_over else "worker_died"

    @property
    def bad_frame(self) -> str | None:
        """The beginning of the frame that broke the protocol. Only for the log: it may contain another request's
        data."""
        return repr(self._fault.excerpt) if self._fault is not None and self._fault.excerpt else None

    @property
    def channel(self) -> Channel:
        return self._channel

    def free_places(self) -> int:
        """How many more requests it can take now; 0 if it is not ready, or may not be responsive."""
        if self._channel.connection.phase is not Phase.OPEN or not self._channel.is_open or self._pings.is_doubtful:
            return 0
        return self._places - len(self._channel.exchanges)

    # Start

    async def start(self, python: Path) -> None:
        """Start the process with the interpreter `python`, and wait until the plugin is loaded. Raises `StartFailed`;
        the process has ended then."""
        self.python = python
        leaf, limits = cgroups.leaf(self.order.limits)
        try:
            self._process = await forks.spawn(
                launch.command(limits, python),
                self.order.folder,
                launch.environment(self.order.environment, self.order.account),
                self.order.account,
                leaf,
            )
        except OSError as error:
            raise StartFailed("spawn_failed", f"the worker process could not be started: {error}") from error
        self._end = asyncio.create_task(self._watch(self._process))
        try:
            async with asyncio.timeout(self.order.clock_start or None):
                await self._shake_hands()
        except TimeoutError:
            self._killed = True
            self._process.abort()
            await self.ended()
            raise StartFailed(
                "start_timeout",
                f"the worker did not become ready in {self.order.clock_start:g} s (still importing?);"
                " clock_start can be raised",
            ) from None
        except BaseException:
            await self.kill()
            raise

    async def _shake_hands(self) -> None:
        hello = await self._next_message()
        assert isinstance(hello, Hello)
        if hello.wire != WIRE_VERSION:
            raise StartFailed(
                "wire_mismatch",
                f"the worker speaks wire version {hello.wire}, the host {WIRE_VERSION}: another endpointd was installed"
                " in the place of the one that runs, and takes over when the daemon is started again",
            )
        order = self.order
        self._channel.send(
            Load(str(order.folder), order.sources, order.concurrency, order.development, order.value_error_is_404)
        )
        answer = await self._next_message()
        if isinstance(answer, LoadFailed):
            raise StartFailed("load_failed", "the plugin cannot be loaded", _plain(answer.problems))
        assert isinstance(answer, Ready)
        self.classes = answer.classes
        if answer.asynchronous:
            self._places = order.concurrency_async or order.concurrency

    async def _next_message(self) -> Hello | Ready | LoadFailed:
        assert self._end is not None
        message = asyncio.ensure_future(self._messages.get())
        try:
            await asyncio.wait({message, self._end}, return_when=asyncio.FIRST_COMPLETED)
            if message.done():
                return message.result()
        finally:
            message.cancel()
        raise StartFailed("worker_died", f"the worker {self._end.result()} before it was ready")

    # Life

    def _control(self, message: Message) -> None:
        if isinstance(message, Log):
            self._record(message)
        elif isinstance(message, Drained):
            self._drained.set()
        elif isinstance(message, Hello | Ready | LoadFailed):
            self._messages.put_nowait(message)
        elif type(message) in CALL_MESSAGES:
            self._calls.hear(message)  # type: ignore[arg-type]
        else:
            assert isinstance(message, Pong), message
            if self._pings.answered(self._now()):
                self._freed()

    def _cancel(self, exchange: Exchange) -> None:
        self._calls.cancel_within(exchange.stream)
        self._cancelled(self, exchange)

    def look(self, now: float) -> None:
        """Called about once a second: send a ping if one is due, and abort the worker if it has not answered the last
        one in time.

        Only a worker that is ready gets pings, so that a slow import is not mistaken for a hang.
        """
        if not self._channel.is_open or self._channel.connection.phase is not Phase.OPEN:
            return
        if self._pings.is_due(now):
            self._ping(now)
        elif self._pings.look(now) and self._process is not None:
            self._process.abort()

    def doubt(self) -> None:
        """Called when the worker may hang: send a ping, and no requests until it is answered."""
        if self._channel.is_open and self._channel.connection.phase is Phase.OPEN:
            self._pings.doubt()
            self._ping(self._now())

    def _ping(self, now: float) -> None:
        self._channel.send(Ping(self._pings.sent(now)))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _lost(self, fault: RemoteWireError | None) -> None:
        self._fault = fault
        self._calls.close()
        self._closed.set()

    async def _watch(self, process: WorkerProcess) -> str:
        """Connect to the process and wait for its end. Returns how it ended, in words."""
        loop = asyncio.get_running_loop()
        try:
            reader, pipe = await OutputReader.attach(process.log, self._output)
            with contextlib.suppress(OSError):
                # Without shared memory, everything goes over the wire.
                self._channel.share_memory(process.wire)
            await loop.create_unix_connection(lambda: self._channel, sock=process.wire)
        except OSError as error:
            self._channel.close()
            process.kill()
            await process.wait()
            return f"could not be connected to ({error})"
        exited = asyncio.ensure_future(process.wait())
        closed = asyncio.ensure_future(self._closed.wait())
        await asyncio.wait({exited, closed}, return_when=asyncio.FIRST_COMPLETED)
        if not exited.done():
            # A worker without a wire is useless.
            await self._put_an_end(process)
        status = await exited
        reader.hurry()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS):
                await self._closed.wait()
                await reader.done.wait()
        self._channel.close()
        pipe.close()
        await closed
        return self._describe(status)

    async def _put_an_end(self, process: WorkerProcess) -> None:
        """End a worker whose wire is closed. One that has drained gets time to exit by itself; any other is killed."""
        if self._drained.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.order.clock_kill):
                    await process.wait()
        process.kill()

    def _describe(self, status: int) -> str:
        if self._fault is not None:
            return f"broke the protocol ({self._fault.reason})"
        if self._pings.is_over:
            return f"did not answer a ping for {self.order.clock_ping:g} s (clock_ping) and was killed"
        starved = self._process.starved if self._process is not None else None
        return describe_exit(status, expected=self._killed, starved=starved)

    async def ended(self) -> str:
        """Wait for its end, and return how it ended in words, such as "was killed by SIGKILL (out of memory?)". Only
        after `start`."""
        assert self._end is not None
        return await asyncio.shield(self._end)

    # End

    async def drain(self, grace: float) -> str:
        """Let it finish its open requests for at most `grace` seconds, then end it. Returns how it ended, as
        `ended`."""
        assert self._process is not None
        if self._channel.is_open and self._channel.connection.phase is Phase.OPEN:
            self._channel.send(Drain())
            is_drained = await self._within(grace, self._drained)
            # Everything is answered. What still keeps the process (such as a non-daemon thread) gets `clock_kill` only,
            # not the rest of `grace`.
            if is_drained and await self._within(self.order.clock_kill, self._closed):
                return await self.ended()
        self._process.terminate()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.order.clock_kill):
                return await self.ended()
        return await self.kill()

    async def _within(self, seconds: float, event: asyncio.Event) -> bool:
        """Whether `event` was set, or the worker ended, within `seconds`."""
        assert self._end is not None
        waiting = asyncio.ensure_future(event.wait())
        done, _ = await asyncio.wait({waiting, self._end}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return bool(done)

    async def kill(self) -> str:
        assert self._process is not None
        self._killed = True
        self._process.kill()
        return await self.ended()
