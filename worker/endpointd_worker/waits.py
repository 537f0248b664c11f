"""How the plugin's threads wait, while they let go of the link's lock: as threads of the system's, or in another way
where the plugin's threads are none (`cooperative.waits`)."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Condition(Protocol):
    """As `threading.Condition`, of which it has these two. `wait` may return early; `notify_all` returns False where it
    knows that a thread has ended while it waited."""

    def wait(self, timeout: float | None = None) -> object: ...
    def notify_all(self) -> bool | None: ...


class Flag(Protocol):
    """As `threading.Event`."""

    def is_set(self) -> bool: ...
    def set(self) -> None: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class WaitingThread(Protocol):
    """A thread that waits, with the lock, which it lets go of meanwhile. `wake` returns False where it knows that the
    thread has ended; `check` raises when it is to wait no more."""

    def wait(self, timeout: float) -> None: ...
    def wake(self) -> bool | None: ...
    def check(self) -> None: ...


class OtherThread:
    """A thread that answers no request."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    def wait(self, timeout: float) -> None:
        self._condition.wait(timeout)

    def wake(self) -> bool | None:
        return self._condition.notify_all()

    def check(self) -> None:
        """It may wait for ever."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Makes what threads wait on."""

    condition: Callable[[threading.RLock], Condition]
    flag: Callable[[], Flag]


OF_THREADS = Waits(threading.Condition, threading.Event)
