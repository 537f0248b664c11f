"""Runs requests in greenlets of the main thread.

The hub reads the wire itself whenever no greenlet has anything to do: a thread of its own would have to hand each
request over, and the two would spend their time waking each other. One thread of the system's, the *watcher*, reads for
the hub where a greenlet keeps it waiting for a tick, so that the host is answered and requests are cancelled all the
same. Every `TICK` seconds, as long as there is traffic, it sends what was held back for company.

Greenlets take one request after the other, as threads would: to make one costs more than most requests.
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
"""An event of libev's."""

MOST_PARKED = 32
"""Greenlets that are kept for further requests."""


class GreenletPool:
    """To be made in the thread whose greenlets answer. `run` answers one stream and never raises; `lost` is told why no
    more can be answered."""

    def __init__(self, link: Link, run: Callable[[Stream], None], lost: Callable[[Exception], None]) -> None:
        self._link = link
        self._run = run
        self._lost = lost
        self._hub = get_hub()
        self._loop = self._hub.loop
        self._readable = self._loop.io(link.fileno, READ)
        self._reading = allocate_lock()
        self._turn = 0
        """How often something was read."""
        self._backlog: deque[Stream] = deque()
        self._parked: list[Waiter] = []
        self._is_called = False
        """Whether a greenlet is on its way to the backlog."""
        self._answerers = Answerers(self._leave, type(self._readable))

    def start(self) -> None:
        self._readable.start(self._read)
        start_new_thread(self._watch, ())

    # In the hub

    def _read(self) -> None:
        if self._link.is_lost:
            # This is a child of the worker's: what comes here is not for it.
            self._readable.stop()
            return
        try:
            self._receive()
            self._call()
        except Exception as error:  # noqa: BLE001 - nobody else would read
            self._lost(error)

    def _call(self) -> None:
        """Have a greenlet see to the backlog."""
        if self._backlog and not self._is_called:
            self._is_called = True
            if self._parked:
                self._loop.run_callback(self._parked.pop().switch, None)
            else:
                answerer = Answerer(self._answerers, self._work)
                answerer.rawlink(self._replace)
                answerer.start()

    def _replace(self, _: object) -> None:
        """A greenlet has ended, perhaps on its way to the backlog: a plugin may kill any."""
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
                # Whoever is killed while it is parked must not be called.
                if waiter in self._parked:
                    self._parked.remove(waiter)

    def _next(self) -> Stream | None:
        # Asked first, it may have been another one's by now: the watcher's.
        try:
            return self._backlog.popleft()
        except IndexError:
            return None

    def _answer(self, stream: Stream) -> None:
        # This greenlet may have to wait before it comes to the next one.
        self._call()
        stream.has_company = bool(self._backlog)
        stream.insist = partial(self._insist, stream, getcurrent())
        self._run(stream)
        stream.insist = None
        if self._link.is_lost and self._answerers.has(getcurrent()):
            # A child of the plugin's comes back from its code as well, in the greenlet that has forked it.
            self._leave()

    def _insist(self, stream: Stream, answerer: Greenlet) -> None:
        """Raise in the greenlet that runs `stream`, where that waits next, if it is still at it then."""

        def end() -> None:
            if stream.insist is not None:
                answerer.throw(GivenUp(stream.cancelled))

        self._loop.run_callback(end)

    def _leave(self, _: object = None) -> None:
        """This process has nothing to answer, or nothing more to do: a child of the worker's ends with what forked
        it."""
        self._lost(HostGone())

    # In either thread

    def _receive(self) -> None:
        if not self._reading.acquire(blocking=False):
            return
        try:
            self._turn += 1
            self._backlog += self._link.receive(timeout=0)
        finally:
            self._reading.release()

    # In the watcher

    def _watch(self) -> None:
        try:
            self._look()
        except Exception as error:  # noqa: BLE001 - without this thread answers would stay here
            self._lost(error)

    def _look(self) -> None:
        arrival, never = poll(), allocate_lock()
        arrival.register(self._link.fileno, POLLIN)
        never.acquire()
        while True:
            arrival.poll()
            self._link.deferring = True
            seen, quiet = self._turn, 0
            while quiet <= QUIET_TICKS:
                never.acquire(timeout=TICK)
                self._link.flush()
                quiet = quiet + 1 if self._turn == seen else 0
                if quiet and arrival.poll(0):
                    self._receive()
                    self._close_unwanted()
                    self._loop.run_callback_threadsafe(self._call)
                seen = self._turn
            self._link.stop_deferring()

    def _close_unwanted(self) -> None:
        """End the requests that were cancelled before they were begun. The host does not wait long for that, and they
        may still have to wait for whoever computes."""
        for stream in [*self._backlog]:
            if stream.cancelled is not None:
                try:
                    self._backlog.remove(stream)
                except ValueError:
                    # A greenlet has taken it just now.
                    continue
                stream.close()
