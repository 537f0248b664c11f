"""Runs each request in a greenlet of its own.

Two threads of the system's serve the wire. The *reader* takes what the host says: it answers pings, and wakes the
greenlets that wait. The *watcher* sends what was held back for company, every `TICK` seconds as long as there is
traffic.
"""

from collections.abc import Callable

from gevent import get_hub, spawn

from endpointd_worker.link import HostGone, Link
from endpointd_worker.native import allocate_lock, start_new_thread
from endpointd_worker.pool import QUIET_TICKS, TICK
from endpointd_worker.streams import Stream


class GreenletPool:
    """To be made in the thread whose greenlets answer. `run` answers one stream and never raises; `lost` is told why no
    more can be answered."""

    def __init__(self, link: Link, run: Callable[[Stream], None], lost: Callable[[Exception], None]) -> None:
        self._link = link
        self._run = run
        self._lost = lost
        self._loop = get_hub().loop
        self._turn = 0
        """How often the wire brought requests."""
        self._gate = allocate_lock()
        """Opened to rouse the watcher."""
        self._gate.acquire()
        self._asleep = True

    def start(self) -> None:
        start_new_thread(self._guarded, (self._read,))
        start_new_thread(self._guarded, (self._watch,))

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - without this thread nobody would be answered
            self._lost(error)

    def _read(self) -> None:
        while True:
            arrivals = self._link.receive()
            if not arrivals:
                continue
            self._turn += 1
            if self._asleep:
                self._asleep = False
                self._link.deferring = True
                self._gate.release()
            for stream in arrivals:
                self._loop.run_callback_threadsafe(spawn, self._answer, stream)

    def _answer(self, stream: Stream) -> None:
        self._run(stream)
        if self._link.is_lost:
            # A child of the plugin's may come back from its code as well, and would wait here for nobody.
            self._lost(HostGone())

    def _watch(self) -> None:
        while True:
            self._gate.acquire()
            seen, quiet = self._turn, 0
            while quiet <= QUIET_TICKS:
                self._gate.acquire(timeout=TICK)
                self._link.flush()
                quiet = quiet + 1 if self._turn == seen else 0
                seen = self._turn
            self._link.stop_deferring()
            self._asleep = True
