"""Handles orphans: processes of plugins that have left their worker's process group and lost their parent.

The daemon is a child subreaper, so orphans become its children. It tells by a mark (see `keeper`) from which worker
each one descends:

- while that worker lives, the orphan is left alone: a plugin may start a helper that turns itself into a daemon;
- when it has ended, the orphan is killed;
- when the orphan has ended, it is reaped.

A child without a mark is usually a program that the daemon itself runs. It is left alone, so that the code that started
it can wait for it. But a child in a session that is neither the daemon's nor led by the child cannot be the daemon's
own: it is reaped when it has ended. The daemon gets such children if it is the first process of a container.

SIGCHLD is not used, because uvloop needs it for itself. Orphans are looked for when a worker has ended, when an orphan
has ended, and every `INTERVAL` seconds.
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
"""Seconds between two sweeps, and so how long an orphan that was not known before may be a zombie."""
LAST_ORPHANS = 2.0
"""Seconds to wait for the end of killed orphans when the daemon ends."""

MARKS = (1 << 62) + keeper.MARK_ROOM * secrets.randbits(38)
"""The base of the marks of this process's workers; a worker's mark is this plus its pid."""

log = structlog.get_logger()


class Reaper:
    """Knows the workers, and looks after orphans. Does nothing until `start`. To be used in the thread of the event
    loop."""

    def __init__(self) -> None:
        self._workers: set[int] = set()
        self._births = 0
        self._orphans: dict[int, int] = {}
        """The pids of known orphans, and the pidfds that become readable when they end."""
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
        """From now on adopt orphans, and keep a `Keeper`, which ends what is left if the daemon is killed."""
        self._loop = asyncio.get_running_loop()
        # A new one, because this object may be used in several event loops in turn, and an event may not.
        self._none_left = asyncio.Event()
        take_orphans(switch=True)
        self._tick()

    async def stop(self) -> None:
        """Kill every orphan, and wait until they are gone, at most `LAST_ORPHANS` seconds. To be called when all
        workers have ended."""
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
        # First of all, so that an error in this sweep does not prevent the next one.
        self._timer = self._loop.call_later(INTERVAL, self._tick)
        self._keep_a_keeper()
        self.sweep()

    def _keep_a_keeper(self) -> None:
        """Start a keeper unless one is running. None is needed if the daemon is the first process of a container,
        because the kernel then ends the whole container with it."""
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
        """A context manager for forking a worker. The process may become a child of this one before it is known as a
        worker; within the block such children are left alone. Those that are still unknown afterwards are killed."""
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
        """The worker has ended and was reaped: kill its descendants."""
        self._workers.discard(pid)
        if self._loop is not None:
            self.sweep()

    # Orphans

    def sweep(self) -> None:
        """Look at every child of this process: reap orphans that have ended, and kill those whose worker has. Only this
        thread reaps orphans, so a pid cannot come to mean another process meanwhile."""
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
        # If there are no free descriptors, a later sweep finds it.
        with contextlib.suppress(OSError):
            self._orphans[pid] = os.pidfd_open(pid)
            self._loop.add_reader(self._orphans[pid], self._gone, pid)

    def _gone(self, pid: int) -> None:
        assert self._loop is not None
        descriptor = self._orphans.pop(pid)
        self._loop.remove_reader(descriptor)
        os.close(descriptor)
        _reap(pid)
        # Its children have become orphans.
        self.sweep()


class Keeper:
    """The process that outlives this one for a moment (see the module `keeper`). The constructor raises `OSError` if it
    cannot be started."""

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
        """End it, and wait for its end. If it is `needed`, it kills the processes that are left first."""
        if not needed:
            self._process.kill()
        os.close(self._pipe)
        self._process.wait()


def _children() -> Iterator[int]:
    """The pids of this process's children. May be incomplete if there are no free descriptors; a later sweep finds the
    others."""
    try:
        tasks = os.listdir("/proc/self/task")
    except OSError:
        return
    for task in tasks:
        with contextlib.suppress(OSError):
            yield from map(int, Path(f"/proc/self/task/{task}/children").read_text().split())


def _reap(pid: int) -> bool:
    """Reap this child if it has ended. Returns whether it is gone."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is not None
    except ChildProcessError:
        return True


def _is_a_strangers(pid: int) -> bool:
    """Whether this child cannot have been started by this process: then it would be in this process's session or lead
    its own."""
    try:
        return os.getsid(pid) not in (0, pid, os.getsid(0))
    except OSError:
        return False


reaper = Reaper()
"""The only instance: a process has one set of children."""
