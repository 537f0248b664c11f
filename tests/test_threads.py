"""The host's threads are there before a plugin can take the system's last ones."""

import asyncio
import threading
from threading import Barrier

import pytest

from endpointd.threads import THREADS, start_threads


def test_blocking_work_needs_no_thread_to_be_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def work() -> None:
        await start_threads()
        together = Barrier(THREADS)
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", refuse)
            # Needs all of them at once.
            await asyncio.gather(*(asyncio.to_thread(together.wait) for _ in range(THREADS)))

    asyncio.run(asyncio.wait_for(work(), 30))
