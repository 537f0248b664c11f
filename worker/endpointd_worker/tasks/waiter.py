"""How tasks, and threads that work for them, wait for news of a stream."""

import asyncio

from endpointd_worker.link import Link
from endpointd_worker.native import RLock
from endpointd_worker.streams import Stream
from endpointd_worker.tasks.loop import Loop
from endpointd_worker.waits import Condition


class Waiter:
    """Told by the thread that reads the wire, with the link's lock (`Condition`). A cancelled stream has its task
    cancelled."""

    __slots__ = ("_awaited", "_condition", "_is_over", "_link", "_loop", "_stream", "task")

    def __init__(self, stream: Stream, link: Link, loop: Loop) -> None:
        self.task: asyncio.Task[None] | None = None
        self._stream = stream
        self._link = link
        self._loop = loop
        self._condition: Condition | None = None
        self._awaited: set[asyncio.Future[None]] = set()
        """One for each task that waits: others of the plugin's may read the body while the answer waits for credit."""
        self._is_over = False

    # For tasks

    async def news(self) -> None:
        """Until something has changed, perhaps; the caller looks again."""
        # What has changed since the caller looked is told to the loop, which is busy with the caller.
        future = self._loop.future()
        self._awaited.add(future)
        try:
            await future
        finally:
            self._awaited.discard(future)

    def over(self) -> None:
        """The task is done with the stream: there is news for none but those who wait already."""
        self._is_over = True

    @property
    def lock(self) -> RLock:
        return self._link.lock

    # For a thread, and for whoever has news, with the lock

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
        """Called by the loop."""
        if not self._is_over and self._stream.cancelled is not None and self.task is not None:
            # Once: what the plugin does then is its own business, within the host's patience.
            self._is_over = True
            self.task.cancel()
        for future in self._awaited:
            if not future.done():
                future.set_result(None)
