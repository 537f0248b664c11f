"""A worker's process: started in a session of its own, watched through a pidfd, killed as a group, always reaped.

Owns the three things a worker is reached by: the process, the host's end of the wire, and the read end of its log.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from endpointd.supervisor.cgroups import cgroups
from endpointd.supervisor.leaf import Leaf
from endpointd.supervisor.prctl import gain_no_privileges
from endpointd.supervisor.reaper import reaper
from endpointd.supervisor.usage import Usage, oom_kills, usage_of
from endpointd.supervisor.users import Account, out_of_reach
from endpointd_wire.flow import WINDOW

LAST_STAND = 1.0
"""Seconds that a worker has to say where it stands."""


class Ends:
    """The wire and the log of a process that is to be started. Leaving the block closes what is that process's, and on
    a failure the host's ends too. Raises `OSError`."""

    def __init__(self) -> None:
        self.wire, self.their_wire = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.log, self.their_log = os.pipe2(os.O_CLOEXEC)
        except OSError:
            self.wire.close()
            self.their_wire.close()
            raise
        self.wire.setblocking(False)
        for end in (self.wire, self.their_wire):
            # As much as the system allows of what one stream may have under way.
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, WINDOW)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.their_wire.close()
        os.close(self.their_log)
        if error is not None:
            self.close()

    def close(self) -> None:
        self.wire.close()
        os.close(self.log)


class WorkerProcess:
    """One child process. `spawn` makes it, or `adopt` takes it over; whoever has it calls `wait` or `kill` and `wait`,
    or it is a zombie."""

    def __init__(self, pid: int, wait: Callable[[], int], pidfd: int, ends: Ends, leaf: Leaf | None) -> None:
        self.pid = pid
        self.wire = ends.wire
        """The host's end of the wire; not blocking. The channel that takes it over closes it."""
        self.log = ends.log
        """Read end of the pipe that is the worker's fd 2. Whoever reads it closes it."""
        self.starved: bool | None = None
        """Once it has ended: whether the system killed for want of memory meanwhile; None when that is not known."""
        self._wait = wait
        self._pidfd = pidfd
        self._leaf = leaf
        self._oom_kills = oom_kills()
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)
        reaper.began(self.pid)

    def __repr__(self) -> str:
        status = self._exited.result() if self._exited.done() else "alive"
        return f"<WorkerProcess {self.pid}: {status}>"

    @classmethod
    def spawn(
        cls,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
        account: Account | None = None,
        leaf: Leaf | None = None,
    ) -> Self:
        """Start `command` with `folder` as its working directory and exactly `environment`, as `account` and in the
        control group `leaf` if they are given. It cannot gain privileges that it does not have; this thread cannot
        either from now on.

        Raises `OSError` when the system refuses (no such interpreter, too many processes or files). Nothing is left
        over then.
        """
        with ExitStack() as on_failure:
            if leaf is not None:
                on_failure.callback(cgroups.discard, leaf)
            gain_no_privileges()
            with Ends() as ends:
                process = _start(command, folder, environment, account, ends)
                on_failure.pop_all()
                return cls.adopt(process.pid, process.wait, ends, leaf)

    @classmethod
    def adopt(cls, pid: int, wait: Callable[[], int], ends: Ends, leaf: Leaf | None = None) -> Self:
        """Take over a child of this process that has `ends` and for which nobody has waited; `wait` does so and returns
        its exit status, as `wait` here. It is put into `leaf`. Raises `OSError`; it is gone then, and so is the
        leaf."""
        with ExitStack() as on_failure:
            if leaf is not None:
                on_failure.callback(cgroups.discard, leaf)
            on_failure.callback(_end, pid, wait)
            if leaf is not None:
                # Here and now: until this thread reaps it, its number cannot be another's.
                leaf.take(pid)
            pidfd = os.pidfd_open(pid)
            on_failure.pop_all()
        return cls(pid, wait, pidfd, ends, leaf)

    @property
    def is_alive(self) -> bool:
        return not self._exited.done()

    async def wait(self) -> int:
        """The exit status; the negative number of a signal if one ended it."""
        return await asyncio.shield(self._exited)

    def usage(self) -> Usage | None:
        """What the process itself uses, without its children; None when it has ended."""
        # Until it is reaped its number is its own.
        return usage_of(self.pid) if self.is_alive else None

    def terminate(self) -> None:
        """Ask the whole group to end."""
        self._signal(signal.SIGTERM)

    def abort(self) -> None:
        """Have the worker write to its log where each thread stands, and end. If it cannot, it is killed soon."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGABRT)
            asyncio.get_running_loop().call_later(LAST_STAND, self.kill)

    def kill(self) -> None:
        """End the whole process group, and the control group. What has left both goes when the worker has ended
        (`reaper`)."""
        self._signal(signal.SIGKILL)
        if self._leaf is not None and self.is_alive:
            self._leaf.kill()

    def _signal(self, number: signal.Signals) -> None:
        # The leader is not reaped yet, so its number cannot be that of another group.
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Children of the plugin must not outlive it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        status = self._wait()
        self.starved = self._has_starved()
        if self._leaf is not None:
            cgroups.discard(self._leaf)
        reaper.ended(self.pid)
        self._exited.set_result(status)

    def _has_starved(self) -> bool | None:
        starved = None if self._leaf is None else self._leaf.starved()
        if starved is None and self._oom_kills is not None and (now := oom_kills()) is not None:
            # Somebody has, on this system.
            return now > self._oom_kills
        return starved


def _start(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], account: Account | None, ends: Ends
) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(
            command,
            stdin=ends.their_wire.fileno(),
            stdout=ends.their_wire.fileno(),
            stderr=ends.their_log,
            cwd=folder,
            env=environment,
            start_new_session=True,
            user=None if account is None else account.uid,
            group=None if account is None else account.gid,
            extra_groups=None if account is None else account.groups,
        )
    except PermissionError as error:
        raise explained(error, command, folder, account) from error


def explained(error: PermissionError, command: Sequence[str], folder: Path, account: Account | None) -> PermissionError:
    """The error of a process that cannot be started, with its cause where that is known."""
    if account is None or (path := out_of_reach(account, [Path(command[0]), folder])) is None:
        return error
    return PermissionError(error.errno, f"the user {account.name} may not read or enter {path}")


def _end(pid: int, wait: Callable[[], int]) -> None:
    """End a process that nobody is going to watch."""
    os.kill(pid, signal.SIGKILL)
    wait()


NATIVE_FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT})


def describe_exit(status: int, *, expected: bool, starved: bool | None = None) -> str:
    """An exit status in words, with the likely cause where there is one.

    expected: the daemon ended it. starved: `WorkerProcess.starved`.
    """
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}" + ("" if expected else _cause(-status, starved))


def _cause(number: int, starved: bool | None) -> str:
    if number in NATIVE_FAULTS:
        return " (a fault in native code?)"
    if number != signal.SIGKILL or starved is False:
        return ""
    return " (out of memory)" if starved else " (out of memory?)"
