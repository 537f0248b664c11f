"""Lets tasks, and threads that work for them, wait for changes of a stream."""

import asyncio

from endpointd_worker.link import Link
from endpointd_worker.native import RLock
from endpointd_worker.streams import Stream
from endpointd_worker.tasks.loop import Loop
from endpointd_worker.waits import Condition


class Waiter:
    """The `Condition` of a stream that runs as a task. The thread that reads the wire notifies it, with the link's
    lock. Cancels the task when the stream is cancelled."""

    __slots__ = ("_awaited", "_condition", "_is_over", "_link", "_loop", "_stream", "task")

    def __init__(self, stream: Stream, link: Link, loop: Loop) -> None:
        self.task: asyncio.Task[None] | None = None
        self._stream = stream
        self._link = link
        self._loop = loop
        self._condition: Condition | None = None
        self._awaited: set[asyncio.Future[None]] = set()
        """One for each waiting task: other tasks of the plugin may read the body while the answer waits for credit."""
        self._is_over = False

    # For tasks

    async def news(self) -> None:
        """Wait until something may have changed; the caller checks again."""
        # No change since the caller's check can be missed: `tell` runs in the loop, after the caller has yielded.
        future = self._loop.future()
        self._awaited.add(future)
        try:
            await future
        finally:
            self._awaited.discard(future)

    def over(self) -> None:
        """The task is done with the stream: only tasks that already wait are still notified."""
        self._is_over = True

    @property
    def lock(self) -> RLock:
        return self._link.lock

    # `Condition`: for a thread that waits, and for the one that notifies; the lock is held

    def wait(self, timeout: float | None = None) -> object:
        if self._condition is None:
            self._condition = self._link.condition()
        return self._condition.wait(timeout)

    def notify_all(self) -> None:
        if self._condition is not None:
            self._condition.notify_all()
        if self._awaited or not self._is_over:
            self._loop.post(self.tell)

    def tell(self) -> None:
        """Wake the waiting tasks; cancel the request's task if the stream is cancelled. Called by the loop."""
        if not self._is_over and self._stream.cancelled is not None and self.task is not None:
            # Only once. If the plugin suppresses the cancellation, the host waits for a limited time.
            self._is_over = True
            self.task.cancel()
        for future in self._awaited:
            if not future.done():
                future.set_result(None)
