"""Reports the daemon's state to the service manager (systemd), and feeds its watchdog while the daemon is healthy."""

import asyncio
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog

from endpointd.systemd.notify import notify
from endpointd.systemd.watchdog import Pulse, allowance

STARTING = 60
"""Seconds by which the manager's start timeout is extended, again at each check during the start. Workers' starts and
builds have timeouts of their own; the manager's is only for a daemon that hangs."""

log = structlog.get_logger()


class Manager:
    """Let `run` run until the daemon ends, and call the other methods when their event happens. Without a service
    manager they do nothing."""

    def __init__(self) -> None:
        self._allowed = allowance(os.environ, os.getpid())
        self._pulse = Pulse(self._allowed)
        self._is_starting = True
        self._status = ""

    async def run(self, states: Callable[[], Iterable[str]]) -> None:
        """Report the status and feed the watchdog, about once a second. `states` returns the states of the plugins."""
        if "NOTIFY_SOCKET" not in os.environ:
            return
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._pulse.period)
            self._look(loop.time(), summary(states()))

    def ready(self, url: str) -> None:
        self._is_starting = False
        notify(READY=1, X_ENDPOINTD_URL=url)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """A context manager for the time while the configuration is read again."""
        if self._is_starting:
            yield
            return
        notify(RELOADING=1, MONOTONIC_USEC=time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000)
        try:
            yield
        finally:
            notify(READY=1)

    def stopping(self, seconds: float) -> None:
        """Shutdown has begun, and takes at most so many seconds."""
        self._is_starting = False
        notify(STOPPING=1, EXTEND_TIMEOUT_USEC=int(seconds * 1_000_000))

    def _look(self, now: float, status: str) -> None:
        # With `complain` False, because an error would be logged every second.
        if status != self._status:
            self._status = status
            notify(False, STATUS=status)
        if self._is_starting:
            notify(False, EXTEND_TIMEOUT_USEC=STARTING * 1_000_000)
        late = self._pulse.beat(now)
        if self._allowed is None:
            return
        if late is None:
            notify(False, WATCHDOG=1)
        else:
            log.warning("loop.late", seconds=round(late, 3))


_WORDS = {"RUNNING": "run", "SLEEPING": "sleep", "FATAL": "failed", "REFUSED": "refused", "STOPPED": "stopped"}


def summary(states: Iterable[str]) -> str:
    """How many plugins are in which state, in a line such as "12 plugins run, 1 failed"."""
    counts = Counter(_WORDS.get(state, "not running yet") for state in states)
    running = counts.pop("run", 0)
    first = "1 plugin runs" if running == 1 else f"{running} plugins run"
    order = [word for word in ("sleep", "not running yet", "failed", "refused", "stopped") if counts[word]]
    return ", ".join([first, *(f"{counts[word]} {word}" for word in order)])
