"""Lets a greenlet wait for an event that another thread reports.

The lock is a real one (`native.RLock`). It cannot exclude greenlets of the same thread from each other, and need not:
a greenlet that holds it is never switched away from, except while it waits here.
"""

from collections.abc import Callable
from typing import Any

from gevent import get_hub
from gevent.hub import Waiter

from endpointd_worker.native import RLock
from endpointd_worker.waits import Waits

LONGEST = 3600.0
"""The longest single wait, in seconds. There is always a timer, because gevent's hub raises an error in the waiting
greenlet if nothing at all is scheduled in its thread."""


class Condition:
    """As `threading.Condition`, for waiters in greenlets of any thread."""

    def __init__(self, lock: RLock) -> None:
        self._lock: Any = lock
        self._waiting: list[Callable[[], bool]] = []

    def wait(self, timeout: float | None = None) -> None:
        """Wait until notified, at most `timeout` seconds; may return early. The lock is held, and released
        meanwhile."""
        hub = get_hub()
        waiter = Waiter(hub)
        timer = hub.loop.timer(min(timeout or LONGEST, LONGEST))
        timer.start(waiter.switch, None)

        def wake() -> bool:
            try:
                hub.loop.run_callback_threadsafe(waiter.switch, None)
            # The waiter's thread has ended and its loop is gone. Its errors must not reach the notifying thread.
            except Exception:  # noqa: BLE001 - gevent does not say what it raises
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
        """Wake all waiters. The lock is held. Returns False if the thread of one has ended; that waiter is dropped."""
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


GREENLET_WAITS = Waits(Condition, Flag)
