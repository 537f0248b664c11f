"""The thread pool: the Leader/Followers pattern (Schmidt et al., POSA 2), with a thread that watches the leader.

The *leader* reads the wire and itself runs the requests that it has read, without handing them to another thread. The
*watcher* checks every `TICK` seconds, as long as there is traffic, whether the leader is still busy with the same
request. If so, the watcher becomes the leader, and the former leader finishes its request as a *follower*. A slow
request therefore delays others by two ticks at most, and only at first: requests for a source that keeps waiting
(`slowness`) go straight to followers.

A request that waits for more of its body, or for credit, waits for something that comes over the wire. If it runs on
the leader, the leader continues to read the wire itself, and hands the leadership over once it has read another
request. If it runs on a follower, that follower becomes the leader when what it waited for has been read. So a body of
any length, in either direction, keeps one thread busy; two threads that pass each piece on would spend their time
waking each other.

The host limits the number of open requests (`Load.concurrency`), and thereby the number of followers.
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
"""Seconds between two checks of the leader: not much more than a switch of threads costs, and too short to be noticed.
"""

QUIET_TICKS = 5
"""Ticks without any work after which the watcher sleeps until `Duty.ROUSE`."""


class Duty(Enum):
    LEAD = "lead"
    WATCH = "watch"
    ROUSE = "rouse"
    """For a watcher that sleeps: go on watching."""


Order: TypeAlias = Duty | Stream
"""What a thread is told to do: a duty, or to run a request as a follower."""


class Member(threading.Thread):
    """A thread of the pool. It waits at its `gate` for an order; `tell` and `collect` are called with the pool's lock.
    For the stream that it runs it is the `streams.Reader`."""

    def __init__(self, pool: "Pool", order: Order) -> None:
        super().__init__(daemon=True, name="endpointd")
        self.gate = threading.Lock()
        self.gate.acquire()
        self.stream: Stream | None = None
        """The request that it runs."""
        self.began = 0.0
        """When it began to run that request (`monotonic`), moved on by the time that it has spent reading the wire."""
        self.worked = 0.0
        """The CPU time of this thread after its last slow run, in seconds (`thread_time`)."""
        self._order: Order | None = order
        self._pool = pool

    def run(self) -> None:
        self._pool.run_member(self)

    def tell(self, order: Order) -> None:
        """Give it an order, and open the gate."""
        self._order = order
        if self.gate.locked():
            self.gate.release()

    def collect(self) -> Order | None:
        """Take the order that was given since the last call, and close the gate."""
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
        self._pool.read_for(self, timeout)

    def roused(self) -> None:
        self._pool.roused = self


class Pool:
    """`run` answers one stream on the calling thread and never raises. `lost` is called, with the reason, when no more
    requests can be answered."""

    def __init__(self, link: Link, run: Callable[[Stream], None], lost: Callable[[Exception], None]) -> None:
        self.leader: Member
        self.roused: Member | None = None
        """The follower that was waiting for what the last read has brought."""
        self.is_over = False
        """Whether reading the wire has failed."""
        self._link = link
        self._run = run
        self._lost = lost
        self._lock = threading.Lock()
        self._parked: list[Member] = []
        self._watcher: Member
        self._asleep = False
        """Whether the watcher sleeps."""
        self._backlog: deque[Stream] = deque()
        """Requests that were read and not started yet."""
        self._running: Stream | None = None
        """The request that the leader runs at the moment."""
        self._reading = False
        """Whether the leader reads the wire while its request waits for something."""
        self._steps = 0
        """Counts the leader's progress: the watcher replaces a leader for which it stands still."""
        self._slow = SlowSources(monotonic)

    def start(self) -> None:
        with self._lock:
            self._watcher = self._employ(Duty.WATCH)
            self.leader = self._employ(Duty.LEAD)

    # The main loop of a thread

    def run_member(self, member: Member) -> None:
        """What the thread `member` runs. Never returns."""
        try:
            self._work(member)
        # No more threads, or no more memory. Without this thread requests might wait for ever, so the worker ends.
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
            # A parked thread must not keep its last request, whose body may be large.
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
        """Run a request while another thread leads; afterwards lead, if this thread has become the leader meanwhile."""
        member.stream, stream.reader = stream, member
        self._answer(stream)
        with self._lock:
            member.stream = None
        self._lead(member)

    # Leading

    def _lead(self, member: Member) -> None:
        """Read the wire and run requests, until another thread is the leader."""
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
                    self._note_progress()
            if self.is_over:
                # `_lost` is ending the process; until then nobody may read the wire.
                threading.Event().wait()
            elif stream is None:
                self._read()
                with self._lock:
                    if not self._backlog and self._link.connection.open_streams:
                        # Followers are producing output: let it be held back, so that it is sent together.
                        self._note_progress()
                    self._promote_roused()
            else:
                stream.reader = member
                stream.may_defer_end = self._runs_another()
                self._run_timed(member, stream)

    def _note_progress(self) -> None:
        """The leader starts or continues to run something: count it, and wake the watcher. The lock is held."""
        self._steps += 1
        if self._asleep:
            self._asleep = False
            # Set here too: it may take long until the watcher runs, and this answer should also be sent as a whole.
            self._link.deferring = True
            self._watcher.tell(Duty.ROUSE)

    def _runs_another(self) -> bool:
        """Whether the leader will run another request right after this one, without reading the wire before."""
        return bool(self._backlog) and not self._slow.is_slow(self._backlog[0].request.source)

    def _read(self, timeout: float | None = None) -> None:
        """Read the wire once, and append the new requests to the backlog."""
        self.roused = None
        try:
            arrivals = self._link.receive(timeout)
        except Exception as error:  # noqa: BLE001 - whatever it is, the wire cannot be read any more
            self.is_over = True
            self._lost(error)
            return
        self._backlog += arrivals

    def _promote_roused(self) -> None:
        """Make the follower the leader that was waiting for what the last read has brought, unless there are requests
        to run. It has been woken anyway, and reads for itself what its stream waits for next. The lock is held."""
        heir = self.roused
        if heir is None or heir.stream is None or self._backlog:
            return
        self.leader, self._running = heir, heir.stream
        self._note_progress()

    def _run_timed(self, member: Member, stream: Stream) -> None:
        """Run a request on the leader, and note how long it has waited (see `slowness`)."""
        member.began = monotonic()
        self._answer(stream)
        waited = monotonic() - member.began
        if waited > SLOW:
            # Subtracts the CPU time of all runs since the last slow one, not only of this one. So a single slow run
            # among many quick ones hardly counts, and the CPU time need not be asked for after each run.
            worked = thread_time()
            waited -= worked - member.worked
            member.worked = worked
        with self._lock:
            member.stream = None
            self._slow.note(stream.request.source, waited)

    def _answer(self, stream: Stream) -> None:
        self._run(stream)
        if self._link.is_lost:
            # Also in a process that the plugin has forked, when it returns from the plugin's code: end it here, instead
            # of letting it wait for requests.
            self._lost(HostGone())

    # Leading while a request waits. Called from within the plugin's code, so errors must not be raised here.

    def read_for(self, member: Member, timeout: float | None) -> None:
        """The request on the thread `member` waits for something that comes over the wire. Read the wire once, if the
        thread is the leader and no other request is to be run; if another one has come, hand over the leadership."""
        with self._lock:
            # The watcher may have replaced it as the leader meanwhile.
            reads = self.leader is member and not self._backlog
            if reads:
                self._reading = True
        if reads:
            began = monotonic()
            self._read(timeout)
            with self._lock:
                self._reading = False
                member.began += monotonic() - began
                self._note_progress()
                self._promote_roused()
        if self._backlog:
            self._step_aside(member)

    def _step_aside(self, member: Member) -> None:
        """Hand the leadership to the watcher, if this thread leads."""
        try:
            with self._lock:
                if self.leader is member:
                    leader = self._watcher
                    self._replace_leader(leader)
                    leader.tell(Duty.LEAD)
        # As in `run_member`: no thread can be started.
        except Exception as error:  # noqa: BLE001
            self._lost(error)

    def _replace_leader(self, leader: Member) -> None:
        """Make `leader`, which has been the watcher, the leader, and another thread the watcher. The lock is held."""
        if self._running is not None:
            self._slow.note(self._running.request.source, TICK)
            self._running.may_defer_end = False
        self._running = None
        self._asleep = False
        self.leader = leader
        self._watcher = self._employ(Duty.WATCH)

    # Watching

    def _watch(self, member: Member) -> None:
        """Watch the leader, and send every tick what was held back, until this thread itself is the leader."""
        seen, quiet = -1, 0
        self._link.deferring = True
        while True:
            member.gate.acquire(timeout=-1 if self._asleep else TICK)
            with self._lock:
                order = member.collect()
                if order is Duty.LEAD:
                    return
                stuck = self._running is not None and self._steps == seen and not self._reading
                if order is None and stuck:
                    self._replace_leader(member)
                    return
                quiet = quiet + 1 if self._steps == seen else 0
                seen = self._steps
                self._asleep = quiet > QUIET_TICKS
            if self._asleep:
                self._link.stop_deferring()
            else:
                self._link.deferring = True
                self._link.flush()
