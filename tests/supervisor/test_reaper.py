"""Orphans of plugins: left alone while their worker lives, gone when it is, reaped, and nobody else's child is."""

import asyncio
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from endpointd.supervisor import keeper
from endpointd.supervisor import reaper as reaper_module
from endpointd.supervisor.reaper import MARKS, reaper
from support import marked as marked_module
from support.marked import a_process, hear, marked, until, with_reaper
from support.processes import Watched, children, descriptors, is_zombie

PAUSE = "signal.pause()"
SECONDS = 2.0
"""In which nothing is left, whoever dies."""
TESTS = Path(marked_module.__file__).parents[1]
STATUS = 7
ENDS = [sys.executable, "-I", "-S", "-c", f"raise SystemExit({STATUS})"]


@pytest.fixture(autouse=True)
def _nobody_looks_by_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless a test wants it: what is to happen at once must not be saved by the next look."""
    monkeypatch.setattr(reaper_module, "INTERVAL", 1000)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def is_ours(pid: int) -> bool:
    return pid in children(os.getpid())


def keepers() -> list[int]:
    lines = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(os.getpid())}
    return [pid for pid, line in lines.items() if b"keeper.py" in line]


# While the worker lives, and when it has ended


@pytest.mark.parametrize(
    "how", ["orphan()", "orphan(env={})", "orphan(close_fds=False)"], ids=["plain", "without its environment", "open"]
)
def test_an_orphan_lives_as_long_as_its_worker(how: str) -> None:
    async def story() -> None:
        async with a_process(marked(f"say({how}); {PAUSE}")) as process, a_process(marked(PAUSE)) as bystander:
            [pid] = await hear(process)
            with Watched(pid) as orphan:
                assert parent(pid) == os.getpid()
                reaper.sweep()
                assert (orphan.is_alive(), reaper.orphans) == (True, 1)
                bystander.kill()
                await bystander.wait()
                assert orphan.is_alive()
                process.kill()
                await process.wait()
                await until(lambda: not is_ours(pid))
                assert not orphan.is_alive()
        assert reaper.orphans == 0

    with_reaper(story)


def test_what_an_orphan_has_started_goes_too() -> None:
    """It falls to the daemon only when its own parent has gone, which the daemon brings about."""
    code = (
        "read_end, write_end = os.pipe()\n"
        "for _ in range(3):\n"
        "    if os.fork() == 0:\n"
        "        os.setsid(); os.write(write_end, b'%d ' % os.getpid())\n"
        "    else:\n"
        f"        {PAUSE}\n"
        "os.write(1, os.read(read_end, 100))\n" + PAUSE
    )

    async def story() -> None:
        async with a_process(marked(code)) as process:
            pids = await hear(process)
            assert len(pids) == 3
            with ExitStack() as stack:
                watched = [stack.enter_context(Watched(pid)) for pid in pids]
                process.kill()
                await process.wait()
                await until(lambda: not any(child.is_alive() for child in watched))
                await until(lambda: not set(pids) & set(children(os.getpid())))

    with_reaper(story)


def test_an_orphan_that_ends_is_reaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is known at once, one that was not known before by the next look."""
    monkeypatch.setattr(reaper_module, "INTERVAL", 0.05)

    async def story() -> None:
        async with a_process(marked(f"say(orphan(), orphan({ENDS!r})); {PAUSE}")) as process:
            stays, goes = await hear(process)
            await until(lambda: not is_ours(goes))
            await until(lambda: reaper.orphans == 1)
            os.kill(stays, signal.SIGTERM)
            await until(lambda: not is_ours(stays))
            assert (process.is_alive, reaper.orphans) == (True, 0)

    with_reaper(story)


def test_who_cannot_be_seen_without_descriptors_is_found_later() -> None:
    async def story() -> None:
        async with a_process(marked(f"say(orphan({ENDS!r})); {PAUSE}")) as process:
            [goes] = await hear(process)
            await until(lambda: is_zombie(goes))
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
            try:
                reaper.sweep()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
            assert is_ours(goes)
            reaper.sweep()
            assert not is_ours(goes)

    with_reaper(story)


def test_in_the_end_no_orphan_is_left() -> None:
    async def story() -> Watched:
        async with a_process(marked(f"say(orphan()); {PAUSE}")) as process:
            [pid] = await hear(process)
            return Watched(pid)

    with with_reaper(story) as orphan:
        assert not orphan.is_alive()
        assert not is_ours(orphan.pid)


def test_nothing_is_left_of_the_reaper() -> None:
    before = descriptors(os.getpid()), children(os.getpid())

    async def story() -> None:
        async with a_process(marked(f"say(orphan()); {PAUSE}")) as process:
            await hear(process)

    with_reaper(story)
    assert (descriptors(os.getpid()), children(os.getpid())) == before
    # Orphans go their way again.
    stranger = left_by_a_leader()
    assert not is_ours(stranger)
    os.kill(stranger, signal.SIGKILL)


# Whose children they are


@pytest.mark.parametrize("own_session", [False, True])
def test_nobody_is_robbed_of_a_child(own_session: bool) -> None:
    """A program that the daemon itself runs, and that has ended before anybody asked."""

    async def story() -> int:
        program = dead_program(own_session=own_session)
        reaper.sweep()
        return program.wait()

    assert with_reaper(story) == STATUS


def dead_program(*, own_session: bool) -> "subprocess.Popen[bytes]":
    """A program that this process has run and not waited for."""
    program = subprocess.Popen(ENDS, start_new_session=own_session)
    with Watched(program.pid) as watched:
        assert watched.ends_within()
    assert is_zombie(program.pid)
    return program


def test_a_strangers_zombie_is_reaped_and_a_living_stranger_left_alone() -> None:
    """As the first process of a container has to do: one without a mark, from a session that cannot be ours."""

    async def story() -> None:
        stranger = left_by_a_leader()
        await until(lambda: is_ours(stranger))
        reaper.sweep()
        with Watched(stranger) as watched:
            assert watched.is_alive()
            watched.send(signal.SIGKILL)
            assert watched.ends_within()
        reaper.sweep()
        assert not is_ours(stranger)

    with_reaper(story)


def left_by_a_leader() -> int:
    """A process without a mark, whose parent led its session and has ended."""
    code = "import os, signal\nif os.fork() == 0: print(os.getpid(), flush=True); signal.pause()"
    command = [sys.executable, "-I", "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as leader:
        assert leader.stdout is not None
        return int(leader.stdout.readline())


def test_a_mark_is_read_of_the_living_and_the_dead() -> None:
    async def story() -> None:
        async with a_process(
            marked(f"child = subprocess.Popen(for_ever, env={{}}); say(child.pid); {PAUSE}")
        ) as process:
            [child] = await hear(process)
            assert keeper.worker_of(process.pid, MARKS) == process.pid
            assert keeper.worker_of(child, MARKS) == process.pid
            # Of other daemons.
            assert keeper.worker_of(child, MARKS + keeper.MARK_ROOM) is None
            assert keeper.worker_of(child, MARKS - keeper.MARK_ROOM) is None
            with Watched(child) as watched:
                os.kill(child, signal.SIGKILL)
                assert watched.ends_within()
            assert is_zombie(child)
            assert keeper.worker_of(child, MARKS) == process.pid
        assert keeper.worker_of(os.getpid(), MARKS) is None
        assert keeper.worker_of(process.pid, MARKS) is None

    with_reaper(story)


# When the daemon is killed


@contextmanager
def daemon_of_one(code: str, *prefix: str) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    """A daemon with one worker that does `code`, and the pids that it says; both are killed in the end."""
    with subprocess.Popen(
        [*prefix, sys.executable, marked_module.__file__, code],
        env={**os.environ, "PYTHONPATH": f"{TESTS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as daemon:
        assert daemon.stdout is not None
        try:
            yield daemon, [int(word) for word in daemon.stdout.readline().split()]
        finally:
            daemon.kill()


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_nothing_outlives_a_killed_daemon(stopped: bool) -> None:
    """Neither a worker that cannot notice, nor its group, nor what has left that."""
    code = (
        "child = subprocess.Popen(for_ever); session = subprocess.Popen(for_ever, start_new_session=True, env={});"
        f"say(child.pid, session.pid, orphan()); {PAUSE}"
    )
    with daemon_of_one(code) as (daemon, [*pids, _]), ExitStack() as stack:
        watched = [stack.enter_context(Watched(pid)) for pid in pids]
        assert all(process.is_alive() for process in watched)
        if stopped:
            os.kill(pids[0], signal.SIGSTOP)
        daemon.kill()
        assert [process.pid for process in watched if not process.ends_within(SECONDS)] == []


DEADLY = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
"""What ends a daemon, and everything else in its terminal or its control group."""


def ignores(pid: int) -> set[int]:
    """The signals that the process ignores."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:"))
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def test_the_keeper_ends_with_the_daemon_and_only_then() -> None:
    with daemon_of_one(f"say(0); {PAUSE}") as (daemon, [worker, _, _]):
        [pid] = set(children(daemon.pid)) - {worker}
        with Watched(pid) as watched:
            asyncio.run(asyncio.wait_for(until(lambda: ignores(pid) >= DEADLY), 10))
            assert daemon.communicate("end\n")[0] == ""
            assert watched.ends_within(SECONDS)
    assert daemon.returncode == 0


def test_a_keeper_that_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reaper_module, "INTERVAL", 0.05)

    async def story() -> None:
        # The kernel shows a new command line a little later than the new program.
        await until(lambda: len(keepers()) == 1)
        [first] = keepers()
        os.kill(first, signal.SIGKILL)
        await until(lambda: keepers() not in ([], [first]))
        assert not is_ours(first)

    with_reaper(story)


# As the first process


def can_unshare() -> bool:
    command = ["unshare", "--pid", "--fork", "--mount-proc", "true"]
    return shutil.which("unshare") is not None and subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.skipif(not can_unshare(), reason="a PID namespace of its own needs root and unshare(1): NOT TESTED")
def test_as_the_first_process_it_has_no_keeper_and_ends_in_good_order() -> None:
    code = f"say(orphan(), orphan({ENDS!r})); {PAUSE}"
    unshare = ("unshare", "--pid", "--fork", "--mount-proc", "--kill-child")
    with daemon_of_one(code, *unshare) as (daemon, [worker, stays, goes, first]):
        assert first == 1
        assert len({worker, stays, goes}) == 3
        [outside] = children(daemon.pid)
        # The worker and the orphan that stays: the other one has ended, and is reaped at the next look.
        asyncio.run(asyncio.wait_for(until(lambda: len(children(outside)) == 2), 10))
        assert daemon.communicate("end\n")[0] == ""
    assert daemon.returncode == 0
