"""The lives of one plugin's workers, each a task: waiting for an environment and a place, starting, serving, ending.

What happens in them is told to whoever owns the workers; nothing is decided here.
"""

import asyncio
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol

from endpointd.supervisor.crew import Part
from endpointd.supervisor.provision import Provider
from endpointd.supervisor.starts import Starts
from endpointd.supervisor.worker import StartFailed, Worker


class Owner(Protocol):
    def is_awaited(self, part: Part) -> bool:
        """Whether a request waits for the worker."""

    def is_building(self, part: Part) -> None:
        """The worker's environment is not there, and is built first."""

    def has_progressed(self, part: Part, line: str) -> None:
        """News of that."""

    def has_built(self, part: Part) -> None:
        """The environment is there."""

    def is_ready(self, part: Part) -> None:
        """The worker has loaded the plugin."""

    def has_failed(self, part: Part, error: StartFailed) -> None:
        """The worker did not become ready."""

    def has_died(self, part: Part, how: str) -> None:
        """A worker that was ready has ended; nobody has asked it to, or that comes as `has_ended` besides."""

    def has_ended(self, part: Part) -> None:
        """A worker that was to end has ended."""


class Lives:
    def __init__(self, starts: Starts, provider: Provider, log: Any, owner: Owner) -> None:  # noqa: ANN401 - structlog's loggers have no type
        self._starts = starts
        self._provider = provider
        self._log = log
        self._owner = owner
        self._lives: dict[Part, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, part: Part, failures: int) -> None:
        """Start the worker when its turn comes; it is behind those of plugins with fewer `failures`."""
        self._lives[part] = self._spawn(self._live(part, failures))

    def hurry(self, part: Part) -> None:
        """A request waits for the worker that is to start."""
        self._starts.hurry(part)

    def drain(self, part: Part, seconds: float) -> None:
        """Let the worker finish what is open for at most so long, then end it."""
        self._spawn(self._drain(part, seconds))

    def put_down(self, part: Part) -> None:
        """End a worker that is starting, or waits for its turn."""
        self._spawn(self._put_down(part))

    def kill(self, workers: Iterable[Worker]) -> None:
        """End them at once, whatever they are doing."""
        for worker in workers:
            self._spawn(worker.kill())

    async def over(self) -> None:
        """Wait until all that there is now is over, and no process of it is left."""
        # Not of what begins meanwhile: who starts the plugin anew does not keep those waiting who have stopped it.
        if self._tasks:
            await asyncio.wait({*self._tasks})

    async def _live(self, part: Part, failures: int) -> None:
        try:
            python = await self._provide(part)
            async with self._starts.place(failures, part, awaited=self._owner.is_awaited(part)):
                await part.worker.start(python)
            self._owner.is_ready(part)
            how = await part.worker.ended()
        except StartFailed as error:
            self._owner.has_failed(part, error)
            return
        except Exception as error:  # noqa: BLE001 - a plugin that waits for ever for its worker would be worse
            self._log.critical("supervisor.defect", exc_info=error)
            if part.worker.pid is not None:
                await part.worker.kill()
            self._owner.has_failed(part, StartFailed("spawn_failed", f"the worker could not be started: {error!r}"))
            return
        finally:
            del self._lives[part]
        self._owner.has_died(part, how)

    async def _provide(self, part: Part) -> Path:
        """The interpreter; where it has to be made first, that takes none of the places of workers that start."""
        python = await self._provider.find(part.order)
        if python is None:
            self._owner.is_building(part)
            python = await self._provider.build(part.order, lambda line: self._owner.has_progressed(part, line))
            self._owner.has_built(part)
        return python

    async def _drain(self, part: Part, seconds: float) -> None:
        how = await part.worker.drain(seconds)
        self._log.info("worker.ended", pid=part.worker.pid, how=how)
        self._owner.has_ended(part)

    async def _put_down(self, part: Part) -> None:
        life = self._lives.get(part)
        if life is not None:
            life.cancel()
            await asyncio.wait({life})
        if part.worker.pid is not None:
            await part.worker.kill()
        self._owner.has_ended(part)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log.critical("supervisor.defect", exc_info=task.exception())
