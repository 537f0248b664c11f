"""A worker's process has the limits that it was given, and cannot raise them. It is asked for them itself."""

import json
import os
import resource
from pathlib import Path

import pytest

from endpointd.supervisor import launch
from endpointd.supervisor.limits import ProcessLimits
from endpointd.supervisor.reaper import MARKS
from support.marked import a_process, hear, marked, with_reaper

MIB = 1024 * 1024
NAMES = {
    "files": "resource.RLIMIT_NOFILE",
    "memory": "resource.RLIMIT_DATA",
    "processes": "resource.RLIMIT_NPROC",
}
NOBODY = "os.setuid(65534)"
is_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user: NOT TESTED")


def run(code: str, limits: ProcessLimits | None = None) -> tuple[list[int], str]:
    """The numbers that a worker with `limits` says when it does `code`, and its log."""

    async def story() -> tuple[list[int], str]:
        async with a_process(marked(f"import resource\n{code}", limits)) as process:
            numbers = await hear(process)
            await process.wait()
            os.set_blocking(process.log, False)
            try:
                return numbers, os.read(process.log, 10_000).decode()
            except BlockingIOError:
                return numbers, ""

    return with_reaper(story)


def test_they_travel_as_one_word() -> None:
    word = ProcessLimits(files=100, memory=MIB, processes=5, nice=3).argument(7)
    assert " " not in word
    assert json.loads(word) == {"files": 100, "memory": MIB, "processes": 5, "nice": 3, "mark": 7}
    assert launch.command(ProcessLimits(nice=3))[-1] == ProcessLimits(nice=3).argument(MARKS)
    assert launch.command()[-1] == ProcessLimits().argument(MARKS)


@pytest.mark.parametrize("name", NAMES)
def test_a_limit_holds_for_good(name: str) -> None:
    value = {"files": 123, "memory": 123 * MIB, "processes": 12_345}[name]
    numbers, log = run(f"say(*resource.getrlimit({NAMES[name]}))", ProcessLimits(**{name: value}))
    assert (numbers, log) == ([value, value], "")


@pytest.mark.parametrize("name", NAMES)
def test_without_a_limit_it_is_the_daemons(name: str) -> None:
    numbers, _ = run(f"say(*resource.getrlimit({NAMES[name]}))")
    assert tuple(numbers) == resource.getrlimit(getattr(resource, NAMES[name].partition(".")[2]))


def test_more_than_the_system_allows_is_told_and_the_rest_holds() -> None:
    """Root may exceed what the system allows, so the worker is another user for this."""
    code = (
        "resource.setrlimit(resource.RLIMIT_NOFILE, (200, 200))\n"
        f"if os.geteuid() == 0: {NOBODY}\n"
        "from endpointd_worker import confine as module\n"
        "module._limit(resource.RLIMIT_NOFILE, 300, 'limit_files')\n"
        "say(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    numbers, log = run(code)
    assert numbers == [200, 200]
    assert log == "endpointd: limit_files is 300, but the system allows 200 and no more\n"


def test_too_many_files_are_the_plugins_error() -> None:
    code = "try:\n    while True: os.dup(0)\nexcept OSError as error: say(error.errno)"
    assert run(code, ProcessLimits(files=100)) == ([24], "")


def test_too_much_memory_is_the_plugins_error() -> None:
    """It can go on; what is only reserved does not count."""
    code = (
        f"import mmap; reserved = mmap.mmap(-1, {400 * MIB}, prot=mmap.PROT_READ)\n"
        f"try: bytearray({200 * MIB})\n"
        f"except MemoryError: say(len(bytearray({20 * MIB})))"
    )
    assert run(code, ProcessLimits(memory=100 * MIB)) == ([20 * MIB], "")


@is_root
def test_too_many_processes_are_the_plugins_error() -> None:
    """They are counted for its user, of whom root is never refused any."""
    code = (
        "os.setuid(60123)\n"
        "try:\n"
        "    for made in range(9): os.fork() or signal.pause()\n"
        "except OSError as error: say(made, error.errno)"
    )
    assert run(code, ProcessLimits(processes=2)) == ([1, 11], "")


def test_its_priority_is_lowered() -> None:
    own = os.getpriority(os.PRIO_PROCESS, 0)
    assert run("say(os.getpriority(os.PRIO_PROCESS, 0))", ProcessLimits(nice=5)) == ([own + 5], "")
    assert run("say(os.getpriority(os.PRIO_PROCESS, 0))") == ([own], "")


def test_it_never_leaves_its_memory_on_a_disk(tmp_path: Path) -> None:
    code = f"os.chdir({str(tmp_path)!r}); say(*resource.getrlimit(resource.RLIMIT_CORE)); os.abort()"
    assert run(code) == ([1, 1], "")
    assert list(tmp_path.iterdir()) == []


def test_its_children_have_the_same_limits() -> None:
    code = (
        "code = 'import os, resource; os.write(1, b\"%d %d\" % resource.getrlimit(resource.RLIMIT_NOFILE))'\n"
        "subprocess.run([sys.executable, '-I', '-S', '-c', code])"
    )
    assert run(code, ProcessLimits(files=111)) == ([111, 111], "")
