"""Gives requests places at a plugin's workers: limited concurrency, a limited queue, and a timeout for the wait."""

import asyncio
from bisect import insort
from collections.abc import Callable
from itertools import count
from typing import Generic, Protocol, TypeAlias, TypeVar

from endpointd.supervisor.choice import Choice, WorkerT


class NoPlace(Exception):
    """There is no place for this request. `retry_after` is in seconds; None if only an operator can help."""

    def __init__(self, code: str, message: str, retry_after: int | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after

    def again(self) -> "NoPlace":
        """A copy to raise for another request. If one exception were raised twice, its traceback would keep the frames
        of both in memory."""
        return NoPlace(self.code, self.message, self.retry_after)


WorkerT_contra = TypeVar("WorkerT_contra", contravariant=True)


class Guest(Protocol[WorkerT_contra]):
    """A request that waits without a task. Exactly one of the methods is called, once."""

    def enter(self, worker: WorkerT_contra) -> None:
        """It is the request's turn: must hand it to `worker` before returning. Never raises."""
        ...

    def refuse(self, refusal: NoPlace) -> None:
        """There will be no place for the request. Never raises."""
        ...


Turn: TypeAlias = tuple[int, "asyncio.Future[None]"]
"""A waiting request that has a task: its unique number, and the future that is done when the task may go on."""


class Admission(Generic[WorkerT]):
    """Places at the present workers, first come first served. `queue_size` is the number of requests that may wait."""

    def __init__(self, queue_size: int, clock_queue: float) -> None:
        self._queue_size = queue_size
        self.clock_queue = clock_queue
        """Seconds that a request may wait; 0: without limit."""
        self._only: WorkerT | None = None
        """The worker, if there is only one."""
        self._several: Choice[WorkerT] | None = None
        self._need: Callable[[], None] | None = None
        self._late: Callable[[], NoPlace] | None = None
        self._refusal: NoPlace | None = None
        self._waiting: list[Turn | tuple[int, Guest[WorkerT]]] = []
        """The queue, in the order of the numbers."""
        self._numbers = count(1)
        self._promised = 0
        """How many places are reserved for requests whose tasks have been woken and have not run yet."""

    @property
    def queued(self) -> int:
        return len(self._waiting)

    def enter_at_once(self) -> WorkerT | None:
        """A worker with a free place; the caller must hand the request to it without awaiting anything before. None if
        no place is free, or other requests wait already."""
        return None if self._waiting else self._free_worker(self._promised)

    async def enter(self) -> WorkerT:
        """As `enter_at_once`, but waits for a place. Raises `NoPlace`."""
        worker = self.enter_at_once()
        if worker is not None:
            return worker
        if self._refusal is not None:
            raise self._refusal.again()
        if len(self._waiting) >= self._queue_size:
            if self._need is not None:
                # This request may not wait, but it starts a worker that the next one may find.
                self._need()
            raise NoPlace("queue_full", f"{len(self._waiting)} requests wait for this plugin already", retry_after=1)
        try:
            async with asyncio.timeout(self.clock_queue or None):
                return await self._wait()
        except TimeoutError:
            raise self.too_late() from None

    def too_late(self) -> NoPlace:
        """The refusal for a request that has waited as long as it may."""
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
            # The worker has gone meanwhile. The request keeps its number, and so its place in the queue.

    def line_up(self, guest: Guest[WorkerT]) -> bool:
        """Put a request that has no task into the queue; `step_out` removes it. Returns False, without having done
        anything, if the queue is full, or if there is no worker whose places could become free."""
        if len(self._waiting) >= self._queue_size or (self._only is None and self._several is None):
            return False
        self._waiting.append((next(self._numbers), guest))
        return True

    def step_out(self, guest: Guest[WorkerT]) -> None:
        """Remove a request that was put into the queue with `line_up`."""
        self._waiting = [turn for turn in self._waiting if turn[1] is not guest]

    def _worker_for(self, turn: Turn) -> WorkerT | None:
        is_first = not self._waiting or self._waiting[0][0] > turn[0]
        # All other requests with a reserved place have come later, so their reservations do not count here.
        return self._free_worker() if is_first else None

    def _free_worker(self, promised: int = 0) -> WorkerT | None:
        """A worker with a free place; None if no more than `promised` places are free altogether."""
        only = self._only
        if only is not None:
            return only if only.free_places() > promised else None
        return None if self._several is None else self._several.choose(promised)

    def _free_places(self) -> int:
        if self._several is not None:
            return self._several.free_places()
        return 0 if self._only is None else self._only.free_places()

    def _leave(self, turn: Turn) -> None:
        """Clean up after a task that waited: it was woken, refused or cancelled."""
        _, future = turn
        if future.done() and not future.cancelled() and future.exception() is None:
            self._promised -= 1
            # If it does not take its place (because its client has gone), the next request may have it.
            asyncio.get_running_loop().call_soon(self.advance)
        elif turn in self._waiting:
            self._waiting.remove(turn)

    def advance(self) -> None:
        """Called when places may have become free: give them to the requests that have waited longest. A request
        without a task is handed to its worker now; for one with a task a place is reserved, and the task is woken."""
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
        """Set other limits, for requests that come from now on."""
        self._queue_size, self.clock_queue = queue_size, clock_queue

    def serve_by(
        self,
        worker: WorkerT | None = None,
        *others: WorkerT,
        need: Callable[[], None] | None = None,
        late: Callable[[], NoPlace] | None = None,
    ) -> None:
        """From now on requests go to `worker` and the others. Without a worker they wait for the next one: then `need`
        is called whenever a request begins to wait, and `late` returns the refusal for one that has waited too long."""
        self._only, self._several = worker, None
        if worker is not None and others:
            self._only, self._several = None, Choice((worker, *others))
        self._need, self._late = need, late
        self._refusal = None
        if need is not None and self._waiting:
            need()
        self.advance()

    def refuse(self, refusal: NoPlace) -> None:
        """Refuse all requests that wait and that come, until `serve_by` is called again."""
        self._only = self._several = self._need = None
        self._refusal = refusal
        while self._waiting:
            _, waiter = self._waiting.pop(0)
            if not isinstance(waiter, asyncio.Future):
                waiter.refuse(refusal.again())
            elif not waiter.done():
                waiter.set_exception(refusal.again())
