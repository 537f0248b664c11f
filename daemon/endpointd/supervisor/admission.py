"""Who may have a place at a plugin's workers: bounded concurrency, a bounded queue, and a clock for the wait."""

import asyncio
from bisect import insort
from collections.abc import Callable
from itertools import count
from typing import Generic, Protocol, TypeAlias, TypeVar

from endpointd.supervisor.choice import Choice, WorkerT


class NoPlace(Exception):
    """There is no place for this request. `retry_after` is in seconds; None when only an operator can help."""

    def __init__(self, code: str, message: str, retry_after: int | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def again(self) -> "NoPlace":
        """The same for another request. One that was raised twice would hold on to the frames of both."""
        return NoPlace(self.code, self.message, self.retry_after)


WorkerT_contra = TypeVar("WorkerT_contra", contravariant=True)


class Guest(Protocol[WorkerT_contra]):
    """A request that waits without a task. One of these is called, once."""

    def enter(self, worker: WorkerT_contra) -> None:
        """Its turn has come: it is to be handed to `worker` before this returns. Never raises."""
        ...

    def refuse(self, refusal: NoPlace) -> None:
        """There will be no place for it. Never raises."""
        ...


Turn: TypeAlias = tuple[int, "asyncio.Future[None]"]
"""The number of a request with a task, which none has had before, and the future that is done when it may go on."""


class Admission(Generic[WorkerT]):
    """Places at the workers of the moment, first come first served."""

    def __init__(self, queue_size: int, clock_queue: float) -> None:
        self._queue_size = queue_size
        self.clock_queue = clock_queue
        """Seconds that a request may wait; 0 for as long as it takes."""
        self._only: WorkerT | None = None
        """The worker, where there is one alone: then nobody has to choose."""
        self._several: Choice[WorkerT] | None = None
        self._need: Callable[[], None] | None = None
        self._late: Callable[[], NoPlace] | None = None
        self._refusal: NoPlace | None = None
        self._waiting: list[Turn | tuple[int, Guest[WorkerT]]] = []
        """In the order of their numbers."""
        self._numbers = count(1)
        self._promised = 0
        """Places given to requests that have not run since; nobody else may take them."""

    @property
    def queued(self) -> int:
        return len(self._waiting)

    def enter_at_once(self) -> WorkerT | None:
        """A worker with a free place, to which the request is to be handed without awaiting anything; None if there is
        none or others wait already."""
        return None if self._waiting else self._free_worker(self._promised)

    async def enter(self) -> WorkerT:
        """The same, after waiting for it. Raises `NoPlace`."""
        worker = self.enter_at_once()
        if worker is not None:
            return worker
        if self._refusal is not None:
            raise self._refusal.again()
        if len(self._waiting) >= self._queue_size:
            if self._need is not None:
                # This one must not wait, but the next one may find a worker.
                self._need()
            raise NoPlace("queue_full", f"{len(self._waiting)} requests wait for this plugin already", retry_after=1)
        try:
            async with asyncio.timeout(self.clock_queue or None):
                return await self._wait()
        except TimeoutError:
            raise self.too_late() from None

    def too_late(self) -> NoPlace:
        """What to tell a request that has waited as long as it may."""
        if self._late is not None:
            return self._late()
        return NoPlace("clock_queue", f"no place became free in {self.clock_queue:g} s", retry_after=1)

    async def _wait(self) -> WorkerT:
        number = next(self._numbers)
        while True:
            turn: Turn = (number, asyncio.get_running_loop().create_future())
            insort(self._waiting, turn)
            if self._need is not None:
                self._need()
            self.advance()
            try:
                await turn[1]
            finally:
                self._leave(turn)
            worker = self._worker_for(turn)
            if worker is not None:
                return worker
            if self._refusal is not None:
                raise self._refusal.again()
            # The worker went in the meantime; the place in the queue is kept.

    def line_up(self, guest: Guest[WorkerT]) -> bool:
        """Let a request wait that has no task; `step_out` takes it back. False, and nothing has happened, when the
        queue is full, or when there is no worker whose places could become free."""
        if len(self._waiting) >= self._queue_size or (self._only is None and self._several is None):
            return False
        self._waiting.append((next(self._numbers), guest))
        return True

    def step_out(self, guest: Guest[WorkerT]) -> None:
        """It waits no more."""
        self._waiting = [turn for turn in self._waiting if turn[1] is not guest]

    def _worker_for(self, turn: Turn) -> WorkerT | None:
        is_first = not self._waiting or self._waiting[0][0] > turn[0]
        # Whoever else was promised a place came later.
        return self._free_worker() if is_first else None

    def _free_worker(self, promised: int = 0) -> WorkerT | None:
        """One with a free place; None when no more than `promised` are free."""
        only = self._only
        if only is not None:
            return only if only.free_places() > promised else None
        return None if self._several is None else self._several.choose(promised)

    def _free_places(self) -> int:
        if self._several is not None:
            return self._several.free_places()
        return 0 if self._only is None else self._only.free_places()

    def _leave(self, turn: Turn) -> None:
        """Its request waits no more."""
        _, future = turn
        if future.done() and not future.cancelled() and future.exception() is None:
            self._promised -= 1
            # If it does not take its place (its client has gone), the next one may.
            asyncio.get_running_loop().call_soon(self.advance)
        elif turn in self._waiting:
            self._waiting.remove(turn)

    def advance(self) -> None:
        """Places may be free: give them to those who have waited longest. A request without a task is handed over here
        and now; to one with a task its place is promised."""
        while self._waiting:
            _, waiter = self._waiting[0]
            if isinstance(waiter, asyncio.Future):
                if self._free_places() <= self._promised:
                    return
                del self._waiting[0]
                if not waiter.done():
                    self._promised += 1
                    waiter.set_result(None)
            else:
                worker = self._free_worker(self._promised)
                if worker is None:
                    return
                del self._waiting[0]
                waiter.enter(worker)

    def limit(self, queue_size: int, clock_queue: float) -> None:
        """Other bounds, for requests that come from now on."""
        self._queue_size, self.clock_queue = queue_size, clock_queue

    def serve_by(
        self,
        worker: WorkerT | None = None,
        *others: WorkerT,
        need: Callable[[], None] | None = None,
        late: Callable[[], NoPlace] | None = None,
    ) -> None:
        """From now on requests go to `worker`, and to the others; with None they wait for the next one. Then `need` is
        called whenever one begins to, and `late` gives what one is told for which that one has come too late."""
        self._only, self._several = worker, None
        if worker is not None and others:
            self._only, self._several = None, Choice((worker, *others))
        self._need, self._late = need, late
        self._refusal = None
        if need is not None and self._waiting:
            need()
        self.advance()

    def refuse(self, refusal: NoPlace) -> None:
        """Nobody is going to answer: tell those who wait and those who come, until there is a worker again."""
        self._only = self._several = self._need = None
        self._refusal = refusal
        while self._waiting:
            _, waiter = self._waiting.pop(0)
            if not isinstance(waiter, asyncio.Future):
                waiter.refuse(refusal.again())
            elif not waiter.done():
                waiter.set_exception(refusal.again())
