"""The threads that the host's event loop gives its blocking work to."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

THREADS = 8
"""How many run at once. Further work waits for one of them."""


async def start_threads() -> None:
    """Give the running event loop an executor (for `asyncio.to_thread`) all of whose threads have been started.

    By default a thread is started when it is needed first. A plugin that fills the system's table of processes with
    threads (systemd's `TasksMax=`, a container's `pids.max`) would then have the daemon fail in the midst of its work.
    """
    loop = asyncio.get_running_loop()
    executor = ThreadPoolExecutor(THREADS, "endpointd-work")
    loop.set_default_executor(executor)
    # A thread is only started while none is idle, so none of these tasks ends before all have begun.
    all_have_begun = Barrier(THREADS)
    await asyncio.gather(*(loop.run_in_executor(executor, all_have_begun.wait) for _ in range(THREADS)))
