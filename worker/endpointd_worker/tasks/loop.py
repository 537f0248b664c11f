"""The loop, and how other threads tell it something: many words in one wake-up."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any

from endpointd_worker.calls import here
from endpointd_worker.logs import own_log


class Loop:
    """`threads`: how many the plugin's tasks may keep busy at once with `asyncio.to_thread`."""

    def __init__(self, threads: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(threads, "endpointd-to-thread"))
        self._thread = threading.Thread(target=self._run, name="endpointd-loop", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        """The loop itself holds none that waits."""
        self._posted: deque[Callable[[], None]] = deque()
        self._is_roused = False
        self._is_wanted = True

    def start(self) -> None:
        self._thread.start()

    @property
    def is_here(self) -> bool:
        """Whether this thread is the loop's."""
        return here.is_loop

    def stop(self) -> None:
        """End the thread, in a process that goes on."""
        self._is_wanted = False
        self.post(self._loop.stop)
        self._thread.join()

    def post(self, word: Callable[[], None]) -> None:
        """Have `word` called by the loop. From any thread."""
        self._posted.append(word)
        if not self._is_roused:
            self._is_roused = True
            self._loop.call_soon_threadsafe(self._hear)

    def soon(self, word: Callable[[], None]) -> None:
        """Have `word` called when all that can go on now has done so. From the loop's thread."""
        self._loop.call_soon(word)

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """A task, in a context of its own. From the loop's thread."""
        task = self._loop.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def future(self) -> "asyncio.Future[None]":
        return self._loop.create_future()

    def _hear(self) -> None:
        # Before the first is taken: one that is added from now on rouses the loop again.
        self._is_roused = False
        while self._posted:
            self._posted.popleft()()

    def _run(self) -> None:
        here.is_loop = True
        asyncio.set_event_loop(self._loop)
        while self._is_wanted:
            try:
                self._loop.run_forever()
            # A task that the plugin has begun itself may end with SystemExit, which ends the loop as well.
            except BaseException as error:  # noqa: BLE001
                own_log.error("a task of the plugin has ended with %s", type(error).__name__, exc_info=error)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
