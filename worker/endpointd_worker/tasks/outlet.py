"""Where tasks put what is to be sent: what all of them make in one turn of the loop leaves in one system call."""

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
    """The link, as the streams of tasks see it (`StreamLink`). What it keeps is guarded by the link's lock. `lost` is
    told that this is a process whose plugin nobody asks."""

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
        """`stream` has output: from the loop's thread. The end of an answer waits for those of others too."""
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
            # A child of the plugin's may run the loop as well, and would wait here for nobody.
            self._lost(HostGone())
