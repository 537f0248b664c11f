"""A worker's process: started in a session of its own, watched through a pidfd, killed as a group, always reaped.

Owns the process, the host's end of the wire, and the read end of the worker's log.
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
"""Seconds that a worker has to write its stack traces before it is killed."""


class Ends:
    """Both ends of the wire and the log of a process that is to be started; a context manager. Leaving the block closes
    the process's ends, and after an exception the host's ends too. The constructor raises `OSError`."""

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
            # As much of one stream's window as the system allows.
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
    """One child process, which `spawn` starts or `adopt` takes over. It is reaped as soon as it ends, as long as the
    event loop runs; so its owner waits for it (`wait`), if need be after `kill`."""

    def __init__(self, pid: int, wait: Callable[[], int], pidfd: int, ends: Ends, leaf: Leaf | None) -> None:
        self.pid = pid
        self.wire = ends.wire
        """The host's end of the wire, non-blocking. The channel takes it over and closes it."""
        self.log = ends.log
        """The read end of the pipe that is the worker's stderr (fd 2). The reader closes it."""
        self.starved: bool | None = None
        """Whether the system killed a process because it was out of memory: in the worker's control group, or else
        anywhere during its life. None before it has ended, or if unknown."""
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
        control group `leaf` if they are given. The process cannot gain privileges (no_new_privs); from now on neither
        can this thread.

        Raises `OSError` if the system refuses (no such interpreter, too many processes or files). Nothing is left over
        then.
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
        """Take over a child of this process that has `ends` and was not waited for. `wait` reaps it and returns its
        exit status in the form of the method `wait`. The child is put into the control group `leaf`. Raises `OSError`;
        the child and the leaf have been removed then."""
        with ExitStack() as on_failure:
            if leaf is not None:
                on_failure.callback(cgroups.discard, leaf)
            on_failure.callback(_end, pid, wait)
            if leaf is not None:
                # In this thread: until it reaps the child, the pid cannot be another process's.
                leaf.take(pid)
            pidfd = os.pidfd_open(pid)
            on_failure.pop_all()
        return cls(pid, wait, pidfd, ends, leaf)

    @property
    def is_alive(self) -> bool:
        return not self._exited.done()

    async def wait(self) -> int:
        """Wait for the end, and return the exit status; the negative number of a signal if one ended it."""
        return await asyncio.shield(self._exited)

    def usage(self) -> Usage | None:
        """The resources that the process itself uses, without its children; None if it has ended."""
        # Until it is reaped, its pid cannot be another process's.
        return usage_of(self.pid) if self.is_alive else None

    def terminate(self) -> None:
        """Send SIGTERM to the whole process group."""
        self._signal(signal.SIGTERM)

    def abort(self) -> None:
        """Have the worker write the stack traces of its threads to its log and end (SIGABRT). It is killed after
        `LAST_STAND` seconds if it has not ended."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGABRT)
            asyncio.get_running_loop().call_later(LAST_STAND, self.kill)

    def kill(self) -> None:
        """Kill the whole process group, and the control group. Processes that have left both are killed by the `reaper`
        when the worker has ended."""
        self._signal(signal.SIGKILL)
        if self._leaf is not None and self.is_alive:
            self._leaf.kill()

    def _signal(self, number: signal.Signals) -> None:
        # The leader is not reaped yet, so its pid cannot be the id of another group.
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
            # Something on this system was killed.
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
    """The error of a process that cannot be started, with a message that names the cause if that is known."""
    if account is None or (path := out_of_reach(account, [Path(command[0]), folder])) is None:
        return error
    return PermissionError(error.errno, f"the user {account.name} may not read or enter {path}")


def _end(pid: int, wait: Callable[[], int]) -> None:
    """Kill and reap a process for which there is no `WorkerProcess`."""
    os.kill(pid, signal.SIGKILL)
    wait()


NATIVE_FAULTS = frozenset({signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGABRT})


def describe_exit(status: int, *, expected: bool, starved: bool | None = None) -> str:
    """Describe an exit status in words, with the likely cause if there is one.

    `expected`: the daemon itself has ended the process. `starved`: see `WorkerProcess.starved`.
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
