"""A worker's process: started in a session of its own, watched through a pidfd, killed as a group, always reaped.

Owns the three things a worker is reached by: the process, the host's end of the wire, and the read end of its log.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path


class WorkerProcess:
    """One child process. `spawn` makes it; whoever has it calls `wait` or `kill` and `wait`, or it is a zombie."""

    def __init__(self, process: "subprocess.Popen[bytes]", pidfd: int, wire: socket.socket, log: int) -> None:
        self.pid = process.pid
        self.wire = wire
        """The host's end of the wire; not blocking. The channel that takes it over closes it."""
        self.log = log
        """Read end of the pipe that is the worker's fd 2. Whoever reads it closes it."""
        self._process = process
        self._pidfd = pidfd
        self._exited: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    def __repr__(self) -> str:
        status = self._exited.result() if self._exited.done() else "alive"
        return f"<WorkerProcess {self.pid}: {status}>"

    @classmethod
    def spawn(cls, command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> "WorkerProcess":
        """Start `command` with `folder` as its working directory and exactly `environment`.

        Raises `OSError` when the system refuses (no such interpreter, too many processes or files). Nothing is left
        over then.
        """
        with ExitStack() as on_failure, ExitStack() as always:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            on_failure.callback(ours.close)
            always.callback(theirs.close)
            read_end, write_end = os.pipe2(os.O_CLOEXEC)
            on_failure.callback(os.close, read_end)
            always.callback(os.close, write_end)
            ours.setblocking(False)
            process = subprocess.Popen(
                command,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=write_end,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
            on_failure.callback(_end, process)
            pidfd = os.pidfd_open(process.pid)
            on_failure.pop_all()
        return cls(process, pidfd, ours, read_end)

    @property
    def is_alive(self) -> bool:
        return not self._exited.done()

    async def wait(self) -> int:
        """The exit status; the negative number of a signal if one ended it."""
        return await asyncio.shield(self._exited)

    def terminate(self) -> None:
        """Ask the whole group to end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the whole group. What has left the group is out of reach."""
        self._signal(signal.SIGKILL)

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
        self._exited.set_result(self._process.wait())


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that nobody is going to watch."""
    process.kill()
    process.wait()


def describe_exit(status: int, *, expected: bool) -> str:
    """An exit status in words, with the likely cause where there is one; `expected` when the daemon ended it."""
    if status >= 0:
        return f"exited with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    hint = " (out of memory?)" if -status == signal.SIGKILL and not expected else ""
    return f"was killed by {name}{hint}"
