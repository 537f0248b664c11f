"""One plugin's worker, kept alive: performs what the table in `state` decides.

Requests find their worker through `admission`; everything else about the worker is known here alone.
"""

import asyncio
import logging
import math
import random
from collections import deque
from dataclasses import dataclass
from typing import Any

import structlog

from endpointd.channel import Exchange
from endpointd.supervisor.admission import Admission, NoPlace
from endpointd.supervisor.backoff import delay
from endpointd.supervisor.state import Action, Event, Life, Policy, State, step
from endpointd.supervisor.worker import StartFailed, Worker, WorkerOrder
from endpointd_wire.messages import Log

LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)

LAST_LINES = 20
"""Lines of output kept for the report of a failure."""

PERMANENT = frozenset({"syntax_error", "source_unreadable", "class_several", "class_missing", "invoke_missing"}) | {
    "invoke_async"
}
"""Problems of a plugin that are the same at every start. An import may fail today and succeed tomorrow."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the last worker ended or did not start. `problems` are those of `LoadFailed`; `lines` its last output."""

    code: str
    message: str
    problems: tuple[dict[str, Any], ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds; 0 switches `queue` off. `restart_longest` bounds the delay between two starts."""

    queue: float
    drain: float
    cancel_grace: float
    restart_longest: float


class Supervisor:
    def __init__(self, plugin: str, order: WorkerOrder, clocks: Clocks, queue_size: int, policy: Policy) -> None:
        self.plugin = plugin
        self.order = order
        self.life = Life()
        self.failure: Failure | None = None
        self.admission: Admission[Worker] = Admission(queue_size, clocks.queue)
        self._clocks = clocks
        self._policy = policy
        self._log = structlog.get_logger().bind(plugin=plugin)
        self._lines: deque[str] = deque(maxlen=LAST_LINES)
        self._worker: Worker | None = None
        self._alive: set[Worker] = set()
        """The workers that became ready and have not ended: the present one, and those that finish in its shadow."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Supervisor {self.plugin}: {self.life.state}, worker {self._worker!r}>"

    @property
    def worker(self) -> Worker | None:
        return self._worker

    @property
    def in_flight(self) -> int:
        """Requests under way, those at a worker that was replaced included."""
        return sum(worker.in_flight for worker in self._alive)

    # For operators

    def start(self) -> None:
        self._happen(Event.START)

    async def settled(self) -> None:
        """Wait until it is known whether the plugin can be served: its first worker is ready, or has failed."""
        await self._settled.wait()

    async def stop(self) -> None:
        """Let the worker finish (within the drain clock) and end it. Returns when no process is left."""
        self._happen(Event.STOP)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def kill(self) -> None:
        """End every worker at once, whatever it is doing; `stop` then returns soon."""
        self._happen(Event.STOP)
        for worker in self._alive:
            self._spawn(worker.kill())

    # Deciding

    def _happen(self, event: Event, worker: Worker | None = None) -> None:
        """The only place where the state changes. News of a worker that is not the present one changes nothing."""
        if worker is not None and worker is not self._worker:
            return
        before = self.life
        self.life, actions = step(before, event, self._now(), self._policy)
        if self.life.state is not before.state:
            self._log.info("plugin.state", state=self.life.state, was=before.state, because=event.value)
        self._route()
        for action in actions:
            self._perform(action)

    def _route(self) -> None:
        """Let requests go where the state says."""
        state = self.life.state
        if state is State.RUNNING:
            self.admission.serve_by(self._worker)
        elif state in (State.STARTING, State.BACKOFF):
            self.admission.serve_by(None)
        elif state is State.FATAL:
            message = self.failure.message if self.failure is not None else "it failed"
            self.admission.refuse(NoPlace("plugin_fatal", f"the plugin does not run: {message}", None))
        else:
            self.admission.refuse(NoPlace("plugin_stopped", "the plugin is stopped", None))
        if state is not State.STARTING:
            self._settled.set()

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    # Acting

    def _perform(self, action: Action) -> None:
        worker = self._worker
        if action is Action.SPAWN:
            self._worker = Worker(self.order, self._take_line, self._take_record, self._freed, self._cancelled)
            self._spawn(self._run(self._worker))
        elif action is Action.WAIT:
            self._wait_to_restart(delay(self.life.failures, self._clocks.restart_longest, random.random()))
        elif action is Action.RETIRE and worker is not None:
            self._worker = None
            self._spawn(self._drain(worker))
        elif action is Action.DRAIN and worker is not None:
            self._spawn(self._drain(worker))
        elif action is Action.KILL and worker is not None:
            self._spawn(self._kill(worker))

    def _wait_to_restart(self, seconds: float) -> None:
        if 0 < self._clocks.queue < seconds:
            message = f"the plugin's worker has failed and is started again in {seconds:.0f} s"
            self.admission.refuse(NoPlace("plugin_backoff", message, retry_after=math.ceil(seconds)))
        self._later(seconds, Event.WAKE)

    def _spawn(self, work: Any) -> None:  # noqa: ANN401 - a coroutine of any kind
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.critical("supervisor.defect", exc_info=task.exception())

    def _later(self, seconds: float, event: Event, worker: Worker | None = None) -> None:
        asyncio.get_running_loop().call_later(seconds, self._happen, event, worker)

    async def _run(self, worker: Worker) -> None:
        """A worker's whole life, as events."""
        self._lines.clear()
        try:
            await worker.start()
        except StartFailed as error:
            self._fail(worker, error.code, error.message, error.problems)
            return
        self._alive.add(worker)
        self._log.info("worker.ready", pid=worker.pid)
        self._happen(Event.READY, worker)
        self._later(self._policy.stable_after, Event.STABLE, worker)
        ending = await worker.ended()
        self._alive.discard(worker)
        if self.life.state is State.RUNNING and worker is self._worker:
            self._fail(worker, "worker_died", f"the worker {ending}", [])

    def _fail(self, worker: Worker, code: str, message: str, problems: list[dict[str, Any]]) -> None:
        if worker is not self._worker:
            return
        self.failure = Failure(code, message, tuple(problems), tuple(self._lines))
        self._log.error(
            "worker.failed",
            code=code,
            message=message,
            pid=worker.pid,
            problems=problems or None,
            frame=worker.bad_frame,
        )
        permanent = any(problem.get("code") in PERMANENT for problem in problems)
        self._happen(Event.REFUSED if permanent else Event.FAILED, worker)

    async def _drain(self, worker: Worker) -> None:
        ending = await worker.drain(self._clocks.drain)
        self._log.info("worker.ended", pid=worker.pid, how=ending)
        self._happen(Event.ENDED, worker)

    async def _kill(self, worker: Worker) -> None:
        await worker.kill()
        self._happen(Event.ENDED, worker)

    # News from the worker

    def _take_line(self, line: str) -> None:
        self._lines.append(line)
        self._log.info("plugin.output", line=line)

    def _take_record(self, record: Log) -> None:
        self._lines.append(record.text)
        # `logging` lets a plugin invent levels, structlog knows the standard ones alone.
        level = next((level for level in LEVELS if record.level >= level), LEVELS[-1])
        self._log.log(level, "plugin.log", logger=record.logger, text=record.text, request=record.request_id)

    def _freed(self, worker: Worker) -> None:
        if worker is self._worker:
            self.admission.advance()

    def _cancelled(self, worker: Worker, exchange: Exchange) -> None:
        asyncio.get_running_loop().call_later(self._clocks.cancel_grace, self._check_left, worker, exchange)

    def _check_left(self, worker: Worker, exchange: Exchange) -> None:
        """A cancelled request that is still in its thread holds a place for ever: the worker is replaced."""
        if not exchange.is_over and worker is self._worker:
            self._log.warning("worker.hung", pid=worker.pid, stream=exchange.stream)
            self._happen(Event.HUNG, worker)
