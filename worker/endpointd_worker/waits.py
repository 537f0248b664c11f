"""The primitives on which the plugin's threads wait. These are for real threads; those for greenlets are in
`cooperative.waits`."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Condition(Protocol):
    """Two methods of `threading.Condition`. `wait` may also return early. `notify_all` returns False if it knows that a
    thread has ended while it waited."""

    def wait(self, timeout: float | None = None) -> object: ...
    def notify_all(self) -> bool | None: ...


class Flag(Protocol):
    """As `threading.Event`."""

    def is_set(self) -> bool: ...
    def set(self) -> None: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class WaitingThread(Protocol):
    """How the thread that makes a session call waits for the reply: a `Stream`, or `OtherThread`.

    `wait` is called with the link's lock, which is released meanwhile. `wake` returns False if it knows that the thread
    has ended. `check` raises if the thread should not wait any longer.
    """

    def wait(self, timeout: float) -> None: ...
    def wake(self) -> bool | None: ...
    def check(self) -> None: ...


class OtherThread:
    """The waiter for a thread that runs no request: one that the plugin has started."""

    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    def wait(self, timeout: float) -> None:
        self._condition.wait(timeout)

    def wake(self) -> bool | None:
        return self._condition.notify_all()

    def check(self) -> None:
        """Nothing cancels such a thread."""


@dataclass(frozen=True, slots=True)
class Waits:
    """Makes the conditions and flags on which the plugin's threads wait."""

    condition: Callable[[threading.RLock], Condition]
    flag: Callable[[], Flag]


THREAD_WAITS = Waits(threading.Condition, threading.Event)
