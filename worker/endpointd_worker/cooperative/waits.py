"""Waiting in a greenlet for what a thread of the system's has to tell.

The lock is one of the system's. Greenlets of one thread can therefore not exclude each other with it, and need not:
none of them is switched away from while it holds the lock, unless it waits here.
"""

from collections.abc import Callable
from typing import Any

from gevent import get_hub
from gevent.hub import Waiter

from endpointd_worker.native import RLock
from endpointd_worker.waits import Waits

LONGEST = 3600.0
"""Seconds of one wait. A hub gives up, and raises in the greenlet, when nothing at all is due in its thread."""


class Condition:
    """As `threading.Condition`, for one waiter or several, of whatever thread."""

    def __init__(self, lock: RLock) -> None:
        self._lock: Any = lock
        self._waiting: list[Callable[[], bool]] = []

    def wait(self, timeout: float | None = None) -> None:
        """Wait for a notice, or `timeout` seconds, or for no reason. The lock is held, and let go of meanwhile."""
        hub = get_hub()
        waiter = Waiter(hub)
        timer = hub.loop.timer(min(timeout or LONGEST, LONGEST))
        timer.start(waiter.switch, None)

        def wake() -> bool:
            try:
                hub.loop.run_callback_threadsafe(waiter.switch, None)
            # Its thread has ended, and has no loop any more. Whatever it is, it is nobody's trouble but its own.
            except Exception:  # noqa: BLE001
                return False
            return True

        self._waiting.append(wake)
        saved = self._lock._release_save()
        try:
            waiter.get()
        finally:
            timer.stop()
            timer.close()
            self._lock._acquire_restore(saved)
            if wake in self._waiting:
                self._waiting.remove(wake)

    def notify_all(self) -> bool:
        """The lock is held. False if somebody cannot be told any more, and is waited for no longer."""
        gone = [wake for wake in self._waiting if not wake()]
        self._waiting = [wake for wake in self._waiting if wake not in gone]
        return not gone


class Flag:
    """As `threading.Event`."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._condition = Condition(self._lock)
        self._is_set = False

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        with self._lock:
            self._is_set = True
            self._condition.notify_all()

    def wait(self, timeout: float | None = None) -> bool:
        with self._lock:
            while not self._is_set:
                self._condition.wait(timeout)
                if timeout is not None:
                    break
            return self._is_set


OF_GREENLETS = Waits(Condition, Flag)
