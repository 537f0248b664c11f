"""What a process uses: the lines of /proc read as the kernel writes them, and the real ones of real processes."""

import os
import subprocess
import sys

import pytest

from endpointd.supervisor.usage import Usage, oom_kills, parse_cpu, parse_memory, parse_oom_kills, usage_of
from support.processes import Watched, resident

BUSY = "import time\nwhile time.process_time() < 0.2: pass\nprint('.', flush=True); input()"
STAT = b"%d (%b) S 1 7 7 0 -1 4194560 1062 0 1 0 %d %d 9 8 20 0 4 0 8316 31735808 2309 18446744073709551615 1 1 0 0\n"


def test_memory_is_what_is_in_ram() -> None:
    assert parse_memory(b"7748 2309 1485 705 0 906 0\n", 4096) == 2309 * 4096


@pytest.mark.parametrize("name", [b"python", b"a b", b") R 1 2 3", b"((", b""])
def test_cpu_is_read_whatever_the_name(name: bytes) -> None:
    assert parse_cpu(STAT % (7, name, 150, 25), 100) == 1.75


def test_kills_for_want_of_memory_are_counted_where_the_system_does() -> None:
    assert parse_oom_kills(b"nr_free_pages 1\noom_kill 12\noom_kill_x 5\n") == 12
    assert parse_oom_kills(b"nr_free_pages 1\n") is None
    assert oom_kills() in (None, *range(1_000_000))


def test_a_real_process_uses_what_the_system_says() -> None:
    with subprocess.Popen([sys.executable, "-I", "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        usage = usage_of(process.pid)
        assert isinstance(usage, Usage)
        assert abs(usage.memory - resident(process.pid)) < 1024 * 1024
        assert 0.1 < usage.cpu < 2
        with Watched(process.pid) as watched:
            process.communicate(b"\n")
            assert watched.ends_within()
        assert usage_of(process.pid) is None


def test_what_has_ended_and_was_not_waited_for_uses_nothing() -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-I", "-S", "-c", ""], {})
    with Watched(pid) as watched:
        assert watched.ends_within()
    assert usage_of(pid) is None
    os.waitpid(pid, 0)
