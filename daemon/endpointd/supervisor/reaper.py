"""What plugins leave behind: processes that have left their worker's group, and lost their parent.

The daemon is made the one to whom such orphans fall, and knows by its mark (`keeper`) which worker each descends from:

- while that worker lives, the orphan is left alone: a plugin may start a helper that turns itself into a daemon;
- when it has ended, the orphan is killed;
- when the orphan has ended, it is reaped.

What bears no mark is a child of the daemon's own (a program that it runs) and never touched, so that nobody's child is
taken away from who waits for it. One kind of child without a mark cannot be the daemon's own: one in a session that is
neither the daemon's nor led by itself. When such a one has ended it is reaped; as the first process of a container
the daemon gets them from anywhere.

Nothing here listens to SIGCHLD: uvloop wants that for itself. Orphans are looked for when a worker has ended, when an
orphan has, and every `INTERVAL` seconds.
"""

import asyncio
import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog

from endpointd.supervisor import keeper
from endpointd.supervisor.prctl import take_orphans

INTERVAL = 5.0
"""Seconds in which an orphan that ends by itself may stay a zombie, if it was not known before."""
LAST_ORPHANS = 2.0
"""Seconds that killed orphans have to be gone when the daemon ends."""

MARKS = (1 << 62) + keeper.MARK_ROOM * secrets.randbits(38)
"""Where the marks of this process's workers begin."""

log = structlog.get_logger()


class Reaper:
    """Does nothing until `start`. To be used in the thread of the event loop."""

    def __init__(self) -> None:
        self._workers: set[int] = set()
        self._births = 0
        self._orphans: dict[int, int] = {}
        """Pids, with the pidfds that tell of their end."""
        self._none_left = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._keeper: Keeper | None = None

    def __repr__(self) -> str:
        return f"<Reaper: {len(self._workers)} workers, {len(self._orphans)} orphans>"

    @property
    def orphans(self) -> int:
        """How many orphans are known and alive."""
        return len(self._orphans)

    # The daemon's life

    def start(self) -> None:
        """From now on take in orphans; and if the daemon is killed, somebody ends what it leaves."""
        self._loop = asyncio.get_running_loop()
        # It may be used in one event loop after another, which an event may not.
        self._none_left = asyncio.Event()
        take_orphans(switch=True)
        self._tick()

    async def stop(self) -> None:
        """Kill every orphan, and wait until they are gone; for when all workers have ended."""
        if self._loop is None:
            return
        try:
            self.sweep()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_ORPHANS):
                    while self._orphans:
                        self._none_left.clear()
                        await self._none_left.wait()
        finally:
            self._end()

    def _end(self) -> None:
        assert self._loop is not None
        assert self._timer is not None
        self._timer.cancel()
        for descriptor in self._orphans.values():
            self._loop.remove_reader(descriptor)
            os.close(descriptor)
        if self._keeper is not None:
            self._keeper.dismiss(needed=bool(self._workers or self._orphans))
        self._orphans.clear()
        self._keeper = self._loop = self._timer = None
        take_orphans(switch=False)

    def _tick(self) -> None:
        assert self._loop is not None
        # First of all: whatever goes wrong with this look, it is not the last.
        self._timer = self._loop.call_later(INTERVAL, self._tick)
        self._keep_a_keeper()
        self.sweep()

    def _keep_a_keeper(self) -> None:
        """The kernel itself ends a container whose first process has died."""
        if os.getpid() == 1 or (self._keeper is not None and self._keeper.is_alive()):
            return
        if self._keeper is not None:
            self._keeper.dismiss(needed=False)
            self._keeper = None
        try:
            self._keeper = Keeper()
        except OSError as error:
            log.warning("keeper.not_started", because=str(error))

    # News of workers

    @contextlib.contextmanager
    def birth(self) -> Iterator[None]:
        """A process that the template forks may be a child of this one before it is known as a worker: within this
        block, such children are left alone. What is still not known afterwards is ended."""
        self._births += 1
        try:
            yield
        finally:
            self._births -= 1
            if self._loop is not None:
                self.sweep()

    def began(self, pid: int) -> None:
        self._workers.add(pid)

    def ended(self, pid: int) -> None:
        """The worker has ended and was waited for: what descends from it is to go."""
        self._workers.discard(pid)
        if self._loop is not None:
            self.sweep()

    # Orphans

    def sweep(self) -> None:
        """Look at every child of this process. Each is still there while it is looked at, because nobody but this
        thread waits for orphans; so its number cannot mean another process."""
        for pid in _children():
            if pid in self._workers:
                continue
            worker = keeper.worker_of(pid, MARKS)
            if self._births and worker in (None, keeper.TEMPLATE, pid):
                continue
            if worker is None:
                if _is_a_strangers(pid):
                    _reap(pid)
            elif not _reap(pid):
                self._watch(pid)
                if worker not in self._workers:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
        if not self._orphans:
            self._none_left.set()

    def _watch(self, pid: int) -> None:
        if pid in self._orphans or self._loop is None:
            return
        # Without a descriptor to spare it is found by a later sweep.
        with contextlib.suppress(OSError):
            self._orphans[pid] = os.pidfd_open(pid)
            self._loop.add_reader(self._orphans[pid], self._gone, pid)

    def _gone(self, pid: int) -> None:
        assert self._loop is not None
        descriptor = self._orphans.pop(pid)
        self._loop.remove_reader(descriptor)
        os.close(descriptor)
        _reap(pid)
        # Its children are orphans now.
        self.sweep()


class Keeper:
    """The process that outlives this one for a moment. Raises `OSError` when it cannot be started."""

    def __init__(self) -> None:
        read_end, self._pipe = os.pipe2(os.O_CLOEXEC)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", keeper.__file__, str(MARKS)],
                stdin=read_end,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )
        except OSError:
            os.close(self._pipe)
            raise
        finally:
            os.close(read_end)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def dismiss(self, *, needed: bool) -> None:
        """It is to end: at once, or when it has killed what is left."""
        if not needed:
            self._process.kill()
        os.close(self._pipe)
        self._process.wait()


def _children() -> Iterator[int]:
    """Those that can be seen: without a descriptor to spare, the others are found by a later sweep."""
    try:
        tasks = os.listdir("/proc/self/task")
    except OSError:
        return
    for task in tasks:
        with contextlib.suppress(OSError):
            yield from map(int, Path(f"/proc/self/task/{task}/children").read_text().split())


def _reap(pid: int) -> bool:
    """Whether this child has ended; it is gone for good then."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is not None
    except ChildProcessError:
        return True


def _is_a_strangers(pid: int) -> bool:
    """Whether this child cannot have been started by this process: that would be in its session or lead one."""
    try:
        return os.getsid(pid) not in (0, pid, os.getsid(0))
    except OSError:
        return False


reaper = Reaper()
"""This process's own: it has one set of children, as it has one parent."""
