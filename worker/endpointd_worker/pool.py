"""Which thread does what: the Leader/Followers pattern (Schmidt and others, POSA 2), with a watch on the leader.

The *leader* reads the wire and runs the requests that it has read, itself: no hand-over, no queue, no other thread
awake. The *watcher* looks every `TICK` seconds, as long as there is traffic, whether the leader is still busy with the
same request; if so it takes over the reading, and the former leader finishes its request as a *follower*. So a slow
request delays others by two ticks at most, and only at first: requests for a source that keeps waiting (`slowness`) go
straight to followers.

A request that waits for more of its body, or for credit, waits for the wire. The leader then reads on for it, and hands
over when something else is to be run; a follower is made the leader when what it waited for was read. So a body of any
length, in either direction, takes one thread: two that pass each piece on would spend their time waking each other.

The host bounds the requests that are open here (`Load.concurrency`), and with them the followers.
"""

import threading
from collections import deque
from collections.abc import Callable
from enum import Enum
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

    def __init__(self, pool: "Pool", order: Order) -> None:
        super().__init__(daemon=True, name="endpointd")
        self.gate = threading.Lock()
        self.gate.acquire()
        self.stream: Stream | None = None
        """What it runs."""
        self.began = 0.0
        """When it began with that, by the clock; as if it had never waited for the wire."""
        self.worked = 0.0
        """What this thread's clock of work showed after its last slow run, in seconds."""
        self._order: Order | None = order
        self._pool = pool

    def run(self) -> None:
        self._pool.live(self)

    def tell(self, order: Order) -> None:
        self._order = order
        if self.gate.locked():
            self.gate.release()

    def collect(self) -> Order | None:
        """The order that was given since the last call. The gate is closed again."""
        self.gate.acquire(blocking=False)
        order, self._order = self._order, None
        return order

    # For its stream (`streams.Reader`)

    @property
    def is_current(self) -> bool:
        return threading.get_ident() == self.ident

    @property
    def is_leader(self) -> bool:
        return self._pool.leader is self and not self._pool.is_over

    def read(self, timeout: float | None) -> None:
        self._pool.read_between(self, timeout)

    def roused(self) -> None:
        self._pool.roused = self


class Pool:
    """`run` answers one stream on the calling thread and never raises; `lost` is told why no more can be answered."""

    def __init__(self, link: Link, run: Callable[[Stream], None], lost: Callable[[Exception], None]) -> None:
        self.leader: Member
        self.roused: Member | None = None
        """Who has waited for what was read last."""
        self.is_over = False
        """Whether the wire cannot be read any more."""
        self._link = link
        self._run = run
        self._lost = lost
        self._lock = threading.Lock()
        self._parked: list[Member] = []
        self._watcher: Member
        self._asleep = False
        """Whether the watcher sleeps."""
        self._backlog: deque[Stream] = deque()
        """Requests that the leader has read and not begun."""
        self._running: Stream | None = None
        """What the leader runs at the moment."""
        self._reading = False
        """Whether the leader waits on the wire, for the sake of what it runs."""
        self._turn = 0
        self._slow = SlowSources(monotonic)

    def start(self) -> None:
        with self._lock:
            self._watcher = self._employ(Duty.WATCH)
            self.leader = self._employ(Duty.LEAD)

    # The life of a thread

    def live(self, member: Member) -> None:
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
                self._follow(member, order)
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
        member = Member(self, order)
        member.start()
        return member

    def _follow(self, member: Member, stream: Stream) -> None:
        """Run a request while others lead; then lead, when what it waited for has made this thread the leader."""
        member.stream, stream.reader = stream, member
        self._answer(stream)
        with self._lock:
            member.stream = None
        self._lead(member)

    # Leading

    def _lead(self, member: Member) -> None:
        """Read and run until another thread is the leader, or the wire ends."""
        while True:
            with self._lock:
                if self.leader is not member:
                    return
                stream = self._running = self._backlog.popleft() if self._backlog else None
                if stream is not None and self._slow.is_slow(stream.request.source):
                    self._employ(stream)
                    continue
                if stream is not None:
                    member.stream = stream
                    self._get_on()
            if self.is_over:
                # The process is about to end; until then nobody may read.
                threading.Event().wait()
            elif stream is None:
                self._read()
                with self._lock:
                    if not self._backlog and self._link.connection.open_streams:
                        # Followers make answers, so fast perhaps that they had better gather.
                        self._get_on()
                    self._pass_on()
            else:
                stream.reader = member
                stream.has_company = self._goes_on()
                self._run_timed(member, stream)

    def _get_on(self) -> None:
        """The leader runs something, or goes on with it: it is to be watched. The lock is held."""
        self._turn += 1
        if self._asleep:
            self._asleep = False
            # It may be long until the watcher runs, and this answer is to leave in one piece too.
            self._link.deferring = True
            self._watcher.tell(Duty.ROUSE)

    def _goes_on(self) -> bool:
        """Whether the leader will run another request after this one, without a look at the wire."""
        return bool(self._backlog) and not self._slow.is_slow(self._backlog[0].request.source)

    def _read(self, timeout: float | None = None) -> None:
        self.roused = None
        try:
            arrivals = self._link.receive(timeout)
        except Exception as error:  # noqa: BLE001 - whatever it is, the wire cannot be read any more
            self.is_over = True
            self._lost(error)
            return
        self._backlog += arrivals

    def _pass_on(self) -> None:
        """Let the thread lead that was waiting for what has come. It is awake, so the next that it waits for needs no
        other thread: a stream of any length costs none but its own. The lock is held."""
        heir = self.roused
        if heir is None or heir.stream is None or self._backlog:
            return
        self.leader, self._running = heir, heir.stream
        self._get_on()

    def _run_timed(self, member: Member, stream: Stream) -> None:
        member.began = monotonic()
        self._answer(stream)
        waited = monotonic() - member.began
        if waited > SLOW:
            # The work of all runs since the last slow one is taken off, so that a single slow one hardly counts.
            worked = thread_time()
            waited -= worked - member.worked
            member.worked = worked
        with self._lock:
            member.stream = None
            self._slow.note(stream.request.source, waited)

    def _answer(self, stream: Stream) -> None:
        self._run(stream)
        if self._link.is_lost:
            # A child of the plugin's may come back from its code as well, and would wait here for nobody.
            self._lost(HostGone())

    # Leading in the midst of a request. This is called from within the plugin's own code, which must not see an error.

    def read_between(self, member: Member, timeout: float | None) -> None:
        """The leader waits for something that comes over the wire: it reads, as long as nothing else is to be run."""
        with self._lock:
            # It may have been replaced since it was asked to wait, by one that reads now.
            reads = self.leader is member and not self._backlog
            if reads:
                self._reading = True
        if reads:
            began = monotonic()
            self._read(timeout)
            with self._lock:
                self._reading = False
                member.began += monotonic() - began
                self._get_on()
                self._pass_on()
        if self._backlog:
            self._step_aside(member)

    def _step_aside(self, member: Member) -> None:
        """Let another thread lead, if this one does."""
        try:
            with self._lock:
                if self.leader is member:
                    leader = self._watcher
                    self._replace_leader(leader)
                    leader.tell(Duty.LEAD)
        # As in `live`.
        except Exception as error:  # noqa: BLE001
            self._lost(error)

    def _replace_leader(self, leader: Member) -> None:
        """Make the watcher the leader, and another thread the watcher. The lock is held."""
        if self._running is not None:
            self._slow.note(self._running.request.source, TICK)
            self._running.has_company = False
        self._running = None
        self._asleep = False
        self.leader = leader
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
                stuck = self._running is not None and self._turn == seen and not self._reading
                if order is None and stuck:
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
