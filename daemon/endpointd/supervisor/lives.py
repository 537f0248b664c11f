"""The lives of one plugin's workers. Each is a task that gets the environment, waits for its turn to start, starts the
worker, and waits for its end.

The tasks only report what happens to the owner of the workers; nothing is decided here.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol

from endpointd.supervisor.crew import Member
from endpointd.supervisor.provision import Provider
from endpointd.supervisor.starts import Starts
from endpointd.supervisor.worker import StartFailed, Worker


class Owner(Protocol):
    def is_awaited(self, member: Member) -> bool:
        """Whether a request waits for the worker."""

    def build_began(self, member: Member) -> None:
        """The worker's environment does not exist yet; building it has begun."""

    def build_progressed(self, member: Member, line: str) -> None:
        """A line of progress of the build."""

    def build_ended(self, member: Member) -> None:
        """The environment has been built."""

    def became_ready(self, member: Member) -> None:
        """The worker has loaded the plugin."""

    def failed(self, member: Member, error: StartFailed) -> None:
        """The worker did not become ready."""

    def died(self, member: Member, how: str) -> None:
        """A worker that was ready has ended. If it was told to end, `ended` is called as well."""

    def ended(self, member: Member) -> None:
        """A worker has ended as it was told to."""


class Lives:
    def __init__(self, starts: Starts, provider: Provider, log: Any, owner: Owner) -> None:  # noqa: ANN401 - structlog's loggers have no type
        self._starts = starts
        self._provider = provider
        self._log = log
        self._owner = owner
        self._lives: dict[Member, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, member: Member, failures: int) -> None:
        """Start the worker when its turn comes, which is after those of plugins with fewer `failures`."""
        self._lives[member] = self._spawn(self._live(member, failures))

    def hurry(self, member: Member) -> None:
        """Called when a request waits for this worker: let its turn to start come sooner."""
        self._starts.hurry(member)

    def drain(self, member: Member, seconds: float) -> None:
        """Let the worker finish its open requests for at most `seconds`, then end it."""
        self._spawn(self._drain(member, seconds))

    def put_down(self, member: Member) -> None:
        """End a worker that is starting, or waits for its turn to start."""
        self._spawn(self._put_down(member))

    def kill(self, workers: Iterable[Worker]) -> None:
        """Kill these workers at once, whatever they are doing."""
        for worker in workers:
            self._spawn(worker.kill())

    async def over(self) -> None:
        """Wait until all workers that exist now, starting ones included, have ended and left no process."""
        # Workers that are started meanwhile are not waited for: a new start must not delay an earlier stop.
        if self._tasks:
            await asyncio.wait({*self._tasks})

    async def _live(self, member: Member, failures: int) -> None:
        try:
            python = await self._provide(member)
            async with self._starts.place(failures, member, awaited=self._owner.is_awaited(member)):
                await member.worker.start(python)
            self._owner.became_ready(member)
            how = await member.worker.ended()
        except StartFailed as error:
            self._owner.failed(member, error)
            return
        except Exception as error:  # noqa: BLE001 - a plugin that waits for ever for its worker would be worse
            self._log.critical("supervisor.defect", exc_info=error)
            if member.worker.pid is not None:
                await member.worker.kill()
            self._owner.failed(member, StartFailed("spawn_failed", f"the worker could not be started: {error!r}"))
            return
        finally:
            del self._lives[member]
        self._owner.died(member, how)

    async def _provide(self, member: Member) -> Path:
        """The interpreter for the worker. If its environment has to be built first, the worker does not count as
        starting meanwhile, so that it does not use up one of the places in `Starts`."""
        python = await self._provider.find(member.order)
        if python is None:
            self._owner.build_began(member)
            python = await self._provider.build(member.order, lambda line: self._owner.build_progressed(member, line))
            self._owner.build_ended(member)
        return python

    async def _drain(self, member: Member, seconds: float) -> None:
        how = await member.worker.drain(seconds)
        self._log.info("worker.ended", pid=member.worker.pid, how=how)
        self._owner.ended(member)

    async def _put_down(self, member: Member) -> None:
        life = self._lives.get(member)
        if life is not None:
            life.cancel()
            await asyncio.wait({life})
        if member.worker.pid is not None:
            await member.worker.kill()
        self._owner.ended(member)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.critical("supervisor.defect", exc_info=task.exception())
