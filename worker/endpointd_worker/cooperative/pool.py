"""Runs requests in greenlets of the main thread.

The hub itself reads the wire whenever no greenlet can run. A separate reading thread would have to hand over each
request, and the two threads would spend their time waking each other. One real thread, the *watcher*, reads the wire
when a greenlet has kept the hub from it for a tick, so that pings are answered and requests cancelled all the same. It
also sends what was held back, every `TICK` seconds as long as there is traffic.

Greenlets are reused for further requests, because creating one costs more than most requests do.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from gevent import Greenlet, get_hub, getcurrent
from gevent.hub import Waiter

from endpointd_worker.cooperative.answerers import Answerer, Answerers
from endpointd_worker.link import HostGone, Link
from endpointd_worker.native import POLLIN, allocate_lock, poll, start_new_thread
from endpointd_worker.pool import QUIET_TICKS, TICK
from endpointd_worker.streams import GivenUp, Stream

READ = 1
"""libev's `EV_READ`."""

MOST_PARKED = 32
"""How many idle greenlets are kept for further requests."""


class GreenletPool:
    """To be created in the thread whose greenlets run the requests. `run` answers one stream and never raises. `lost`
    is called, with the reason, when no more requests can be answered."""

    def __init__(self, link: Link, run: Callable[[Stream], None], lost: Callable[[Exception], None]) -> None:
        self._link = link
        self._run = run
        self._lost = lost
        self._hub = get_hub()
        self._loop = self._hub.loop
        self._readable = self._loop.io(link.fileno, READ)
        self._reading = allocate_lock()
        self._reads = 0
        """How often the wire was read. If it stands still, the watcher reads."""
        self._backlog: deque[Stream] = deque()
        self._parked: list[Waiter] = []
        self._is_called = False
        """Whether a greenlet was scheduled to take requests from the backlog and has not started yet."""
        self._answerers = Answerers(self._leave, type(self._readable))

    def start(self) -> None:
        self._readable.start(self._read)
        start_new_thread(self._watch, ())

    # In the hub

    def _read(self) -> None:
        if self._link.is_lost:
            # This is a forked child of the worker, which must not read the wire.
            self._readable.stop()
            return
        try:
            self._receive()
            self._call()
        except Exception as error:  # noqa: BLE001 - whatever it is, the wire cannot be read any more
            self._lost(error)

    def _call(self) -> None:
        """Schedule a greenlet that takes requests from the backlog, unless one is scheduled already."""
        if self._backlog and not self._is_called:
            self._is_called = True
            if self._parked:
                self._loop.run_callback(self._parked.pop().switch, None)
            else:
                answerer = Answerer(self._answerers, self._work)
                answerer.rawlink(self._replace)
                answerer.start()

    def _replace(self, _: object) -> None:
        """Called when a greenlet has ended. It may be the scheduled one: a plugin can kill any greenlet."""
        self._is_called = False
        self._call()

    # In greenlets

    def _work(self) -> None:
        while True:
            self._is_called = False
            while (stream := self._next()) is not None:
                self._answer(stream)
            if len(self._parked) >= MOST_PARKED:
                return
            waiter = Waiter(self._hub)
            self._parked.append(waiter)
            try:
                waiter.get()
            finally:
                # If the greenlet is killed while it is parked, it must not be scheduled any more.
                if waiter in self._parked:
                    self._parked.remove(waiter)

    def _next(self) -> Stream | None:
        # No check before: the watcher, another thread, may remove a request in between.
        try:
            return self._backlog.popleft()
        except IndexError:
            return None

    def _answer(self, stream: Stream) -> None:
        # Other requests must not have to wait for this one.
        self._call()
        stream.insist = partial(self._insist, stream, getcurrent())
        stream.may_defer_end = bool(self._backlog)
        self._run(stream)
        stream.insist = None
        if self._link.is_lost and self._answerers.has(getcurrent()):
            # This is a forked child of the worker, where the plugin's code has returned in the greenlet that forked.
            self._leave()

    def _insist(self, stream: Stream, answerer: Greenlet) -> None:
        """Raise in the greenlet that runs `stream`, where that waits next, if it is still at it then."""

        def end() -> None:
            if stream.insist is not None:
                answerer.throw(GivenUp(stream.cancelled))

        self._loop.run_callback(end)

    def _leave(self, _: object = None) -> None:
        """End this process: the wire is closed, or this is a forked child whose forking greenlet has ended."""
        self._lost(HostGone())

    # In either thread

    def _receive(self) -> None:
        """Read the wire once, unless the other thread is doing so."""
        if not self._reading.acquire(blocking=False):
            return
        try:
            self._reads += 1
            self._backlog += self._link.receive(timeout=0)
        finally:
            self._reading.release()
        self._close_unwanted()

    def _close_unwanted(self) -> None:
        """End the requests that were cancelled before they were started. The host does not wait long for that, and the
        computing greenlet may hold them up for longer."""
        for stream in [*self._backlog]:
            if stream.cancelled is not None:
                try:
                    self._backlog.remove(stream)
                except ValueError:
                    # A greenlet has taken it meanwhile, or the other thread closes it.
                    continue
                stream.close()

    # In the watcher

    def _watch(self) -> None:
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 - without this thread, output that is held back would never be sent
            self._lost(error)

    def _look(self) -> None:
        arrival, never = poll(), allocate_lock()
        arrival.register(self._link.fileno, POLLIN)
        never.acquire()
        while True:
            arrival.poll()
            self._link.deferring = True
            seen, quiet = self._reads, 0
            while quiet <= QUIET_TICKS:
                never.acquire(timeout=TICK)
                self._link.flush()
                quiet = quiet + 1 if self._reads == seen else 0
                if quiet and arrival.poll(0):
                    self._receive()
                    self._loop.run_callback_threadsafe(self._call)
                seen = self._reads
            self._link.stop_deferring()
