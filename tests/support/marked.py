"""Programs of a few lines that are confined as a worker is, and a daemon of one worker to run them. Run as a program,
it is that daemon: it says the pids of its worker, of what that has started and of itself, and obeys on its stdin.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import endpointd_worker
from endpointd.supervisor.limits import ProcessLimits
from endpointd.supervisor.process import WorkerProcess
from endpointd.supervisor.reaper import MARKS, reaper
from endpointd.supervisor.users import Account

ResultT = TypeVar("ResultT")

_PRELUDE = f"""
import os, signal, subprocess, sys
sys.path.insert(0, {str(Path(endpointd_worker.__file__).parents[1])!r})
from endpointd_worker.confine import confine
confine(sys.argv[1])
for_ever = [{sys.executable!r}, "-I", "-S", "-c", "import signal; signal.pause()"]

def say(*pids):
    os.write(1, " ".join(map(str, pids)).encode())

def orphan(program=for_ever, **options):
    read_end, write_end = os.pipe()
    if os.fork() == 0:
        os.write(write_end, str(subprocess.Popen(program, start_new_session=True, **options).pid).encode())
        os._exit(0)
    os.wait()
    return int(os.read(read_end, 100))
"""


def marked(code: str, limits: ProcessLimits | None = None) -> list[str]:
    """The command of a process that is confined, and then does `code`. It has `for_ever`, a program that never ends;
    `orphan(program, …)`, which starts one that loses its parent, and returns its pid; and `say(pid, …)`."""
    argument = (limits or ProcessLimits()).argument(MARKS)
    return [sys.executable, "-I", "-S", "-c", f"{_PRELUDE}\n{code}", argument]


async def hear(process: WorkerProcess) -> list[int]:
    """The numbers that the worker says."""
    return [int(word) for word in (await asyncio.get_running_loop().sock_recv(process.wire, 1000)).split()]


@contextlib.asynccontextmanager
async def a_process(command: list[str], account: Account | None = None) -> AsyncIterator[WorkerProcess]:
    """A worker's process, which is killed afterwards; its wire and log are closed."""
    process = WorkerProcess.spawn(command, Path("/"), {}, account)
    try:
        yield process
    finally:
        process.kill()
        await process.wait()
        process.wire.close()
        os.close(process.log)


def with_reaper(story: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Run `story` in a process that takes in orphans, as the daemon does."""

    async def main() -> ResultT:
        reaper.start()
        try:
            async with asyncio.timeout(10):
                return await story()
        finally:
            await reaper.stop()

    return asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    """Wait until `condition` holds; the time is bounded by whoever calls."""
    while not condition():  # noqa: ASYNC110 - the system announces nothing of this
        await asyncio.sleep(0.005)


async def _obey(code: str) -> None:
    loop = asyncio.get_running_loop()
    async with a_process(marked(code)) as process:
        print(process.pid, *await hear(process), os.getpid(), flush=True)  # noqa: T201
        # One line ends it.
        await loop.run_in_executor(None, sys.stdin.readline)


if __name__ == "__main__":
    with_reaper(lambda: _obey(sys.argv[1]))
