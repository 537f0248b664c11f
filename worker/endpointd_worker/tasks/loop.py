"""The event loop that runs the tasks, and a queue of callbacks from other threads that needs few wake-ups."""

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
    """`threads`: how many threads `asyncio.to_thread` may use at once."""

    def __init__(self, threads: int) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(ThreadPoolExecutor(threads, "endpointd-to-thread"))
        self._thread = threading.Thread(target=self._run, name="endpointd-loop", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()
        """Strong references: asyncio keeps only weak ones to tasks that wait."""
        self._posted: deque[Callable[[], None]] = deque()
        self._is_scheduled = False
        self._is_running = True

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the loop and its thread. For tests; a worker never does."""
        self._is_running = False
        self.post(self._loop.stop)
        self._thread.join()

    def post(self, callback: Callable[[], None]) -> None:
        """Let the loop call `callback`. May be called from any thread; callbacks that are posted together need one
        wake-up only."""
        self._posted.append(callback)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon_threadsafe(self._run_posted)

    def soon(self, callback: Callable[[], None]) -> None:
        """Let the loop call `callback` after everything that is ready now. To be called in the loop's thread."""
        self._loop.call_soon(callback)

    def begin(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Start a task, in a new empty context. To be called in the loop's thread."""
        task = self._loop.create_task(work, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def future(self) -> "asyncio.Future[None]":
        return self._loop.create_future()

    def _run_posted(self) -> None:
        # Reset before the first callback is taken, so that one that is added from now on wakes the loop again.
        self._is_scheduled = False
        while self._posted:
            self._posted.popleft()()

    def _run(self) -> None:
        here.is_loop = True
        asyncio.set_event_loop(self._loop)
        while self._is_running:
            try:
                self._loop.run_forever()
            # A task that the plugin has started may raise SystemExit, which also ends `run_forever`.
            except BaseException as error:  # noqa: BLE001
                own_log.error("a task of the plugin has ended with %s", type(error).__name__, exc_info=error)
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()
