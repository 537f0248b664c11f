"""Which thread does what: the Leader/Followers pattern (Schmidt and others, POSA 2), with a watch on the leader.

The *leader* reads the wire and runs the requests that it has read, itself: no hand-over, no queue, no other thread
awake. The *watcher* looks every `TICK` seconds, as long as there is traffic, whether the leader is still busy with the
same request; if so it takes over the reading, and the former leader finishes its request as a *follower*. A leader that
is about to wait on the wire hands over at once. So a slow request delays others by two ticks at most, and only at
first: requests for a source that keeps waiting (`slowness`) go straight to followers.

The host bounds the requests that are open here (`Load.concurrency`), and with them the followers.
"""

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
from functools import partial
from time import monotonic, thread_time
from typing import TypeAlias

from endpointd_worker.link import HostGone, Link
from endpointd_worker.slowness import SLOW, SlowSources
from endpointd_worker.streams import Stream

TICK = 0.002
"""Seconds between two looks at the leader. Not much more than a switch of threads costs, far less than anyone
notices."""

QUIET_TICKS = 5
"""Ticks without any work after which the watcher sleeps until it is roused."""


class Duty(Enum):
    LEAD = "lead"
    WATCH = "watch"
    ROUSE = "rouse"
    """Go on watching."""


Order: TypeAlias = Duty | Stream
"""What a thread is told to do: a duty, or to run a request."""


class Member(threading.Thread):
    """A thread of the pool. It is given an order at its gate; both sides hold the pool's lock when they do so."""

    def __init__(self, live: Callable[["Member"], None], order: Order) -> None:
        super().__init__(daemon=True, name="endpointd")
        self.gate = threading.Lock()
        self.gate.acquire()
        self.worked = 0.0
        """What this thread's clock of work showed after its last slow run, in seconds."""
        self._order: Order | None = order
        self._live = live

    def run(self) -> None:
        self._live(self)

    def tell(self, order: Order) -> None:
        self._order = order
        if self.gate.locked():
            self.gate.release()

    def collect(self) -> Order | None:
        """The order that was given since the last call. The gate is closed again."""
        self.gate.acquire(blocking=False)
        order, self._order = self._order, None
        return order


class Pool:
    """`run` answers one stream on the calling thread and never raises; `lost` is told why no more can be answered."""

    def __init__(self, link: Link, run: Callable[[Stream], None], lost: Callable[[Exception], None]) -> None:
        self._link = link
        self._run = run
        self._lost = lost
        self._lock = threading.Lock()
        self._parked: list[Member] = []
        self._leader: Member
        self._watcher: Member
        self._asleep = False
        """Whether the watcher sleeps."""
        self._backlog: deque[Stream] = deque()
        """Requests that the leader has read and not begun."""
        self._running: Stream | None = None
        """What the leader runs at the moment."""
        self._turn = 0
        self._slow = SlowSources(monotonic)

    def start(self) -> None:
        with self._lock:
            self._watcher = self._employ(Duty.WATCH)
            self._leader = self._employ(Duty.LEAD)

    # The life of a thread

    def _live(self, member: Member) -> None:
        try:
            self._work(member)
        # Out of threads or out of memory: with a thread missing here, requests would wait for nobody.
        except Exception as error:  # noqa: BLE001
            self._lost(error)

    def _work(self, member: Member) -> None:
        with self._lock:
            order = member.collect()
        while True:
            if isinstance(order, Stream):
                self._answer(order)
            else:
                if order is Duty.WATCH:
                    self._watch(member)
                self._lead(member)
            # A parked thread is to keep no request, whose body may be large.
            order = None
            order = self._park(member)

    def _park(self, member: Member) -> Order:
        with self._lock:
            self._parked.append(member)
        while True:
            member.gate.acquire()
            with self._lock:
                order = member.collect()
            if order is not None:
                return order

    def _employ(self, order: Order) -> Member:
        """Give `order` to a parked thread, or to a new one. The lock is held."""
        if self._parked:
            member = self._parked.pop()
            member.tell(order)
            return member
        member = Member(self._live, order)
        member.start()
        return member

    # Leading

    def _lead(self, member: Member) -> None:
        """Read and run until another thread is the leader, or the wire ends."""
        step_aside = partial(self._step_aside, member)
        while True:
            with self._lock:
                if self._leader is not member:
                    return
                stream = self._running = self._backlog.popleft() if self._backlog else None
                if stream is not None and self._slow.is_slow(stream.request.source):
                    self._employ(stream)
                    continue
                if stream is not None:
                    self._turn += 1
                    if self._asleep:
                        self._asleep = False
                        # It may be long until the watcher runs, and this answer is to leave in one piece too.
                        self._link.deferring = True
                        self._watcher.tell(Duty.ROUSE)
            if stream is None:
                self._read()
            else:
                stream.before_wait = step_aside
                stream.has_company = self._goes_on()
                self._run_timed(member, stream)

    def _goes_on(self) -> bool:
        """Whether the leader will run another request after this one, without a look at the wire."""
        return bool(self._backlog) and not self._slow.is_slow(self._backlog[0].request.source)

    def _read(self) -> None:
        try:
            arrivals = self._link.receive()
        except Exception as error:  # noqa: BLE001 - whatever it is, the wire cannot be read any more
            self._lost(error)
            # The process is about to end; until then nobody may read.
            threading.Event().wait()
            return
        self._backlog += arrivals

    def _run_timed(self, member: Member, stream: Stream) -> None:
        began = monotonic()
        self._answer(stream)
        waited = monotonic() - began
        if waited > SLOW:
            # The work of all runs since the last slow one is taken off, so that a single slow one hardly counts.
            worked = thread_time()
            waited -= worked - member.worked
            member.worked = worked
        with self._lock:
            self._slow.note(stream.request.source, waited)

    def _answer(self, stream: Stream) -> None:
        self._run(stream)
        if self._link.is_lost:
            # A child of the plugin's may come back from its code as well, and would wait here for nobody.
            self._lost(HostGone())

    def _step_aside(self, member: Member) -> None:
        """The leader is about to wait for something that only a leader can read."""
        try:
            with self._lock:
                if self._leader is member:
                    leader = self._watcher
                    self._replace_leader(leader)
                    leader.tell(Duty.LEAD)
        # As in `_live`; this is called from within the plugin's own code, which must not see it.
        except Exception as error:  # noqa: BLE001
            self._lost(error)

    def _replace_leader(self, leader: Member) -> None:
        """Make the watcher the leader, and another thread the watcher. The lock is held."""
        if self._running is not None:
            self._slow.note(self._running.request.source, TICK)
            self._running.has_company = False
        self._running = None
        self._asleep = False
        self._leader = leader
        self._watcher = self._employ(Duty.WATCH)

    # Watching

    def _watch(self, member: Member) -> None:
        """Watch until this thread is the leader."""
        seen, quiet = -1, 0
        self._link.deferring = True
        while True:
            member.gate.acquire(timeout=-1 if self._asleep else TICK)
            with self._lock:
                order = member.collect()
                if order is Duty.LEAD:
                    return
                if order is None and self._running is not None and self._turn == seen:
                    self._replace_leader(member)
                    return
                quiet = quiet + 1 if self._turn == seen else 0
                seen = self._turn
                self._asleep = quiet > QUIET_TICKS
            if self._asleep:
                self._link.stop_deferring()
            else:
                self._link.deferring = True
                self._link.flush()
