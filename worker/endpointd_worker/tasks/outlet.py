"""Collects the output of all tasks: what they produce in one turn of the event loop is sent in one system call."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from endpointd_worker.link import HostGone, Link
from endpointd_worker.streams import Stream
from endpointd_worker.tasks.loop import Loop

if TYPE_CHECKING:
    from endpointd_wire.connection import Connection
    from endpointd_wire.memory import Ring
    from endpointd_wire.messages import Message
    from endpointd_worker.native import RLock
    from endpointd_worker.waits import Condition


class Outlet:
    """The `StreamLink` of the streams that run as tasks. Its state is guarded by the link's lock. `lost` is called when
    the wire is closed."""

    def __init__(self, link: Link, loop: Loop, lost: Callable[[Exception], None]) -> None:
        self._link = link
        self._loop = loop
        self._lost = lost
        self._unsent: dict[Stream, None] = {}
        self._is_due = False

    @property
    def lock(self) -> "RLock":
        return self._link.lock

    @property
    def connection(self) -> "Connection":
        return self._link.connection

    @property
    def memory(self) -> "Ring | None":
        return self._link.memory

    def condition(self) -> "Condition":
        return self._link.condition()

    def send_locked(self, message: "Message") -> None:
        self._link.send_locked(message)

    def offer(self, stream: Stream, *, at_once: bool = False, is_whole: bool = False) -> None:
        """As `Link.offer`. Called in the loop's thread. Output is sent at the end of the loop's turn; so is the end of
        an answer (`is_whole`), even if `at_once`."""
        self._unsent[stream] = None
        if at_once and not is_whole:
            self.flush_locked()
        elif not self._is_due:
            self._is_due = True
            self._loop.soon(self._flush)

    def flush_locked(self) -> None:
        unsent, self._unsent = self._unsent, {}
        self._link.send_output(unsent)

    def _flush(self) -> None:
        with self.lock:
            self._is_due = False
            self.flush_locked()
        if self._link.is_lost:
            # Also in a process that a task has forked, which would otherwise continue to run the loop.
            self._lost(HostGone())
