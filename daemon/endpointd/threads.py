"""The threads in which the host's event loop runs blocking work."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

THREADS = 8
"""The number of threads. Further work waits until one of them is free."""


async def start_threads() -> None:
    """Give the running event loop an executor (for `asyncio.to_thread`) all of whose threads have been started.

    By default, each thread is started only when it is needed. If a plugin then uses up the allowed number of processes
    and threads (systemd's `TasksMax=`, a container's `pids.max`), the daemon would fail in the middle of its work.
    """
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(THREADS, "endpointd-work")
    loop.set_default_executor(executor)
    # A thread is only started while none is idle, so none of these tasks ends before all have begun.
    all_have_begun = Barrier(THREADS)
    await asyncio.gather(*(loop.run_in_executor(executor, all_have_begun.wait) for _ in range(THREADS)))
