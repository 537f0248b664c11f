"""A worker's process: how it ends is known, and nothing of it is left. The children are programs of one line."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from endpointd.supervisor import process as process_module
from endpointd.supervisor.process import WorkerProcess, describe_exit
from support.processes import Watched, children, descriptors, session

ResultT = TypeVar("ResultT")

CAT = "import sys; sys.stdin.read()"
IGNORES_SIGTERM = (
    "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('.', end='', flush=True);" + CAT
)
FAMILY = (
    f"import subprocess, sys; p = subprocess.Popen([{sys.executable!r}, '-c', 'import time; time.sleep(1000)']);"
    "print(p.pid, flush=True); sys.stdin.read()"
)


def with_process(
    code: str, folder: Path, story: Callable[[WorkerProcess], Awaitable[ResultT]], **environment: str
) -> ResultT:
    """Run `story` with a process of `code`, which is killed afterwards; its wire and log are closed."""

    async def main() -> ResultT:
        process = WorkerProcess.spawn([sys.executable, "-I", "-c", code], folder, environment)
        try:
            async with asyncio.timeout(10):
                return await story(process)
        finally:
            process.kill()
            await process.wait()
            process.wire.close()
            os.close(process.log)

    return asyncio.run(main())


async def hear(process: WorkerProcess, size: int = 100) -> bytes:
    return await asyncio.get_running_loop().sock_recv(process.wire, size)


# How it ends


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_its_exit_status_is_known(tmp_path: Path, status: int) -> None:
    assert with_process(f"raise SystemExit({status})", tmp_path, lambda process: process.wait()) == status


def test_the_signal_that_ended_it_is_known(tmp_path: Path) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    assert with_process(code, tmp_path, lambda process: process.wait()) == -signal.SIGSEGV


def test_it_is_alive_until_it_is_reaped(tmp_path: Path) -> None:
    async def story(process: WorkerProcess) -> None:
        assert (process.is_alive, repr(process)) == (True, f"<WorkerProcess {process.pid}: alive>")
        process.wire.shutdown(1)
        assert await process.wait() == 0
        assert (process.is_alive, repr(process)) == (False, f"<WorkerProcess {process.pid}: 0>")
        assert await process.wait() == 0

    with_process(CAT, tmp_path, story)


def test_a_waiter_that_is_cancelled_takes_nothing_away(tmp_path: Path) -> None:
    async def story(process: WorkerProcess) -> int:
        waiter = asyncio.create_task(process.wait())
        await asyncio.sleep(0)
        waiter.cancel()
        process.terminate()
        return await process.wait()

    assert with_process(CAT, tmp_path, story) == -signal.SIGTERM


def test_what_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    async def story(process: WorkerProcess) -> int:
        await hear(process)
        process.terminate()
        assert process.is_alive
        process.kill()
        return await process.wait()

    assert with_process(IGNORES_SIGTERM, tmp_path, story) == -signal.SIGKILL


def test_its_children_are_asked_to_end_too(tmp_path: Path) -> None:
    child = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('.', end='', flush=True);"
    parent = (
        "import signal, subprocess, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        f"sys.exit(subprocess.call([sys.executable, '-c', {child + 'signal.pause()'!r}]))"
    )

    async def story(process: WorkerProcess) -> int:
        await hear(process)
        process.terminate()
        return await process.wait()

    assert with_process(parent, tmp_path, story) == 7


def test_signals_after_the_end_reach_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its number may be another's by then."""
    sent: list[tuple[int, int]] = []

    async def story(process: WorkerProcess) -> None:
        await process.wait()
        monkeypatch.setattr(os, "killpg", lambda group, number: sent.append((group, number)))
        process.terminate()
        process.kill()

    with_process("pass", tmp_path, story)
    assert sent == []


@pytest.mark.parametrize(
    ("status", "starved", "words", "cause"),
    [
        (0, None, "exited with status 0", ""),
        (70, True, "exited with status 70", ""),
        (-signal.SIGKILL, None, "was killed by SIGKILL", " (out of memory?)"),
        (-signal.SIGKILL, True, "was killed by SIGKILL", " (out of memory)"),
        (-signal.SIGKILL, False, "was killed by SIGKILL", ""),
        (-signal.SIGTERM, True, "was killed by SIGTERM", ""),
        (-signal.SIGSEGV, None, "was killed by SIGSEGV", " (a fault in native code?)"),
        (-63, None, "was killed by signal 63", ""),
    ],
)
def test_an_end_in_words(status: int, starved: bool | None, words: str, cause: str) -> None:
    assert describe_exit(status, expected=False, starved=starved) == words + cause
    assert describe_exit(status, expected=True, starved=starved) == words


@pytest.mark.parametrize(
    ("before", "after", "starved"), [(3, 4, True), (3, 3, False), (None, None, None), (3, None, None)]
)
def test_whether_the_system_ran_out_of_memory_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: int | None, after: int | None, starved: bool | None
) -> None:
    counts = iter([before, after])
    monkeypatch.setattr(process_module, "oom_kills", lambda: next(counts))

    async def story(process: WorkerProcess) -> bool | None:
        await process.wait()
        return process.starved

    assert with_process("pass", tmp_path, story) is starved


def test_its_usage_is_known_until_it_has_ended(tmp_path: Path) -> None:
    async def story(process: WorkerProcess) -> None:
        usage = process.usage()
        assert usage is not None
        assert usage.memory > 0
        process.kill()
        await process.wait()
        assert process.usage() is None

    with_process(CAT, tmp_path, story)


# Its family


@pytest.mark.parametrize("end", [WorkerProcess.kill, WorkerProcess.terminate, lambda process: process.wire.shutdown(1)])
def test_its_children_end_with_it(tmp_path: Path, end: Callable[[WorkerProcess], None]) -> None:
    """Also when it has ended by itself and left them behind."""

    async def story(process: WorkerProcess) -> bool:
        with Watched(int(await hear(process))) as child:
            assert child.is_alive()
            assert session(child.pid) == session(process.pid) == process.pid
            end(process)
            await process.wait()
            return child.ends_within()

    assert with_process(FAMILY, tmp_path, story)


def test_it_has_a_session_of_its_own(tmp_path: Path) -> None:
    async def story(process: WorkerProcess) -> int:
        return session(process.pid)

    assert with_process(CAT, tmp_path, story) != os.getsid(0)


# What it is started with


def test_it_has_the_wire_the_log_the_folder_and_the_environment_and_nothing_else(tmp_path: Path) -> None:
    code = (
        "import os; os.write(2, repr((os.getcwd(), dict(os.environ), sorted(map(int, os.listdir('/proc/self/fd')))))"
        ".encode()); os.write(1, b'.' if os.path.sameopenfile(0, 1) else b'!')"
    )

    async def story(process: WorkerProcess) -> tuple[bytes, str]:
        said = await hear(process)
        await process.wait()
        return said, os.read(process.log, 10_000).decode()

    said, log = with_process(code, tmp_path, story, LC_ALL="C.UTF-8")
    assert said == b"."
    # 3 is what lists the others.
    assert log == repr((str(tmp_path), {"LC_ALL": "C.UTF-8"}, [0, 1, 2, 3]))


def test_the_wire_speaks_both_ways(tmp_path: Path) -> None:
    code = "import sys; print(sys.stdin.buffer.read(4).decode()[::-1], end='', flush=True)"

    async def story(process: WorkerProcess) -> bytes:
        await asyncio.get_running_loop().sock_sendall(process.wire, b"quac")
        return await hear(process)

    assert with_process(code, tmp_path, story) == b"cauq"


def test_it_cannot_gain_privileges(tmp_path: Path) -> None:
    code = "import os; os.write(1, open('/proc/self/status', 'rb').read())"

    async def story(process: WorkerProcess) -> bytes:
        return await hear(process, 10_000)

    assert b"NoNewPrivs:\t1\n" in with_process(code, tmp_path, story)


# What is left


def test_nothing_is_left_of_many(tmp_path: Path) -> None:
    async def nothing(process: WorkerProcess) -> None:
        process.kill()
        await process.wait()

    with_process(CAT, tmp_path, nothing)
    before = descriptors(os.getpid()), children(os.getpid())
    for _ in range(10):
        with_process(CAT, tmp_path, nothing)
    assert (descriptors(os.getpid()), children(os.getpid())) == before


@pytest.mark.parametrize("command", [["/nowhere/python"], [os.devnull]])
def test_nothing_is_left_of_one_that_cannot_be_started(tmp_path: Path, command: list[str]) -> None:
    before = descriptors(os.getpid()), children(os.getpid())
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(OSError, match=r"No such file|Permission denied"):
            WorkerProcess.spawn(command, folder, {})
    assert (descriptors(os.getpid()), children(os.getpid())) == before
