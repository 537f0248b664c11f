"""Workers that are forked from the template: what they are, how they end, and that the template's end is nobody's."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from endpointd.supervisor import forks as forks_module
from endpointd.supervisor import launch
from endpointd.supervisor.forks import NotBorn, _pid, forks
from endpointd.supervisor.limits import ProcessLimits
from endpointd.supervisor.process import WorkerProcess
from endpointd.supervisor.reaper import reaper
from endpointd.supervisor.users import Account, find_account, out_of_reach
from endpointd_wire.messages import Hello, Load, Ready
from support.host_end import HostEnd
from support.processes import Watched, children, descriptors, session

ResultT = TypeVar("ResultT")

MIRROR = """
import ctypes, gc, json, locale, os, random, resource, subprocess, sys, threading, time
from werkzeug import Response
from dify_plugin import Endpoint

AT_IMPORT = gc.get_threshold()
LIMITS = [name for name in dir(resource) if name.startswith("RLIMIT_")]

def status(*names):
    lines = open("/proc/self/status").read().splitlines()
    return [line for line in lines if line.split(":")[0] in names]

class Mirror(Endpoint):
    def _invoke(self, r, values, settings):
        if "exit" in r.args:
            os._exit(int(r.args["exit"]))
        if "child" in r.args:
            return Response(str(subprocess.Popen(["sleep", "1000"]).pid))
        own = {
            "folder": os.getcwd(),
            "variables": dict(os.environ),
            "variables of a child": subprocess.check_output(["/usr/bin/env"], text=True, errors="replace").splitlines(),
            "descriptors": [os.readlink(f"/proc/self/fd/{fd}").partition(":")[0] for fd in (0, 1, 2)],
            "how many": len(os.listdir("/proc/self/fd")),
            "inherited": subprocess.check_output([sys.executable, "-Ic",
                "import os; print(sorted(os.listdir('/proc/self/fd')))"], text=True),
            "leads": os.getsid(0) == os.getpgid(0) == os.getpid(),
            "limits": {name: resource.getrlimit(getattr(resource, name)) for name in LIMITS if name != "RLIMIT_RTTIME"},
            "mark": resource.getrlimit(resource.RLIMIT_RTTIME)[1] - os.getpid(),
            "status": status("NoNewPrivs", "Uid", "Gid", "Groups", "CapEff", "CapPrm", "CapAmb", "CapBnd", "SigIgn",
                             "SigBlk", "Umask", "Seccomp"),
            "dumpable": ctypes.CDLL(None).prctl(3, 0, 0, 0, 0),
            "nice": os.nice(0),
            "flags": str(sys.flags),
            "arguments": [sys.argv[0], json.loads(json.dumps(sys.orig_argv))],
            "path": sys.path,
            "main": sys.modules["__main__"].__file__,
            "collector": (gc.isenabled(), gc.get_threshold(), AT_IMPORT),
            "thread": [threading.main_thread().name, threading.main_thread().is_alive()],
            "locale": [locale.setlocale(locale.LC_ALL), sys.getfilesystemencoding()],
            "zone": time.tzname,
            "streams": [(s.fileno(), s.encoding, s.errors, s.line_buffering) for s in (sys.stdout, sys.stderr)],
            "command": open("/proc/self/cmdline").read().replace("\\0", " ").strip(),
        }
        return Response(json.dumps({"own": own, "chance": [random.random(), os.urandom(4).hex()]}))
"""


@dataclass
class Host:
    """The test, as the host of one worker."""

    process: WorkerProcess
    end: HostEnd

    def ask(self, query: str = "") -> Any:  # noqa: ANN401 - JSON
        answer = self.end.ask(query=query.encode())
        assert answer.status == 200, self.end.logs
        return json.loads(answer.body)


@contextmanager
def quick_births(seconds: float) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forks_module, "PATIENCE", seconds)
        yield


def with_template(story: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """Run `story` in a process that has a template, as the daemon has."""

    async def main() -> ResultT:
        reaper.start()
        forks.start()
        try:
            async with asyncio.timeout(60):
                return await story()
        finally:
            await forks.stop()
            await reaper.stop()

    before = descriptors(os.getpid()), children(os.getpid())
    try:
        return asyncio.run(main())
    finally:
        assert (descriptors(os.getpid()), children(os.getpid())) == before


async def start(
    folder: Path, variables: dict[str, str] | None = None, account: Account | None = None, *, fork: bool = True
) -> WorkerProcess:
    command = launch.command(ProcessLimits(files=300, nice=1))
    environment = launch.environment(variables or {}, account)
    before = forks.forked
    if not fork:
        return WorkerProcess.spawn(command, folder, environment, account)
    process = await forks.spawn(command, folder, environment, account)
    assert forks.forked == before + 1
    return process


@asynccontextmanager
async def loaded(process: WorkerProcess, folder: Path) -> AsyncIterator[Host]:
    """Have the worker load the mirror; it is ended afterwards."""
    end = HostEnd(process.wire)
    try:
        end.hear(Hello)
        end.say(Load(str(folder), (("mirror.py", "source"),), 4, False))
        end.hear(Ready)
        yield Host(process, end)
    finally:
        process.kill()
        await process.wait()
        process.wire.close()
        os.close(process.log)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "mirror.py").write_text(MIRROR)
    return tmp_path


def test_it_is_what_one_that_was_executed_is(folder: Path) -> None:
    variables = {"PLUGIN_WORD": "quack", "TZ": "Asia/Tokyo", "ODD": "\udcff é"}

    async def story() -> None:
        found = []
        for fork in (True, False):
            async with loaded(await start(folder, variables, fork=fork), folder) as host:
                assert session(host.process.pid) == host.process.pid
                found.append(host.ask())
        forked, executed = found
        assert forked["own"] == executed["own"]
        # The plugin is imported with the collector as rarely at work as later.
        assert executed["own"]["collector"] == [True, [10_000, 10, 10], [10_000, 10, 10]]
        assert forked["own"]["variables"].items() >= variables.items()
        assert forked["own"]["zone"][0] == "JST"
        async with loaded(await start(folder), folder) as host:
            another = host.ask()
        # No variable of another worker's, and no chance that both have.
        assert "PLUGIN_WORD" not in another["own"]["variables"]
        assert another["chance"][0] != forked["chance"][0]
        assert another["chance"][1] != forked["chance"][1]

    with_template(story)


def test_as_another_user_too(folder: Path) -> None:
    account = find_account("nobody") if os.geteuid() == 0 else None
    if account is None:
        pytest.skip("only root can become another user: NOT TESTED")
    if out_of_reach(account, [Path(sys.executable), Path(launch.bootstrap()), folder]) is not None:
        # The test's own folder can be opened; where the interpreter lies is not this test's to change.
        for path in (folder, *folder.parents):
            if path.owner() == "root" and path.is_relative_to("/tmp"):
                path.chmod(path.stat().st_mode | 0o055)

    async def story() -> None:
        found = []
        for fork in (True, False):
            try:
                process = await start(folder, {}, account, fork=fork)
            except PermissionError as error:
                found.append(str(error))
                continue
            async with loaded(process, folder) as host:
                found.append(host.ask()["own"])
        assert found[0] == found[1]

    with_template(story)


def test_how_it_ended_is_known_and_nothing_of_it_is_left(folder: Path) -> None:
    async def story() -> None:
        async with loaded(await start(folder), folder) as host:
            host.end.request(query=b"exit=7")
            assert await host.process.wait() == 7
        async with loaded(await start(folder), folder) as host:
            with Watched(int(host.ask("child=1"))) as child:
                os.kill(host.process.pid, signal.SIGSEGV)
                assert await host.process.wait() == -signal.SIGSEGV
                assert child.ends_within()

    with_template(story)


def test_one_that_cannot_enter_its_folder_is_an_error(tmp_path: Path) -> None:
    async def story() -> None:
        with pytest.raises(FileNotFoundError, match="missing"):
            await start(tmp_path / "missing")

    with_template(story)


def test_the_templates_end_is_no_workers_and_there_is_another_one(folder: Path) -> None:
    async def story() -> None:
        async with loaded(await start(folder), folder) as host:
            assert forks.template is not None
            os.kill(forks.template, signal.SIGKILL)
            assert host.ask()["own"]["leads"]
            before = forks.template
            async with loaded(await until_forked(folder), folder) as another:
                assert another.ask()["own"]["leads"]
            assert forks.template != before
            assert host.ask()["own"]["leads"]

    with_template(story)


async def until_forked(folder: Path) -> WorkerProcess:
    """A worker of a new template; those before that were executed, without ado."""
    while True:
        before = forks.forked
        process = await forks.spawn(launch.command(), folder, launch.environment({}))
        if forks.forked > before:
            return process
        process.kill()
        await process.wait()
        process.wire.close()
        os.close(process.log)


def test_a_template_that_does_not_answer_is_replaced(folder: Path) -> None:
    async def story() -> None:
        async with loaded(await start(folder), folder):
            pass
        assert forks.template is not None
        os.kill(forks.template, signal.SIGSTOP)
        executed = forks.executed
        with quick_births(0.2):
            process = await forks.spawn(launch.command(), folder, launch.environment({}))
        async with loaded(process, folder) as host:
            assert host.ask()["own"]["leads"]
        assert forks.executed == executed + 1
        async with loaded(await until_forked(folder), folder):
            pass

    with_template(story)


def test_nothing_is_left_of_a_birth_that_nobody_waits_for(folder: Path) -> None:
    async def story() -> None:
        for pause in (0, 1, 3):
            birth = asyncio.create_task(start(folder))
            for _ in range(pause):
                await asyncio.sleep(0)
            birth.cancel()
            with pytest.raises(asyncio.CancelledError):
                await birth

    with_template(story)


# What is forked, and what is not


@pytest.mark.parametrize("name", ["LC_ALL", "LANG", "LD_PRELOAD", "PYTHONHASHSEED", "GLIBC_TUNABLES"])
def test_a_variable_that_is_heeded_when_a_program_begins_needs_an_execution(name: str) -> None:
    assert launch.can_be_forked(launch.command(ProcessLimits(nice=3)), launch.environment({"WORD": "quack"}))
    assert not launch.can_be_forked(launch.command(), launch.environment({name: "another"}))


def test_so_does_another_interpreter() -> None:
    assert not launch.can_be_forked(launch.command(python=Path("/usr/bin/python3")), launch.environment({}))


@pytest.mark.parametrize(
    ("report", "error"),
    [
        (b"", NotBorn),
        (b"P12\n", NotBorn),
        (b".\n", NotBorn),
        (b"N11\n", NotBorn),
        (b"P12\nE13\n.\n", PermissionError),
        (b"P12\n.\nE2\n", FileNotFoundError),
    ],
)
def test_a_birth_that_was_none(report: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        _pid(report)


def test_a_birth_is_over_when_nobody_stands_between() -> None:
    assert _pid(b"P12\n.\n") == 12
