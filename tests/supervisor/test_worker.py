"""A worker from the host's side. What the other side says is forged here; whole workers are tested elsewhere."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from endpointd.manifest.findings import finding_of
from endpointd.supervisor import launch
from endpointd.supervisor.worker import StartFailed, Worker, WorkerOrder
from endpointd_wire.connection import WIRE_VERSION
from endpointd_wire.messages import Hello, LoadFailed, Memory, Message, Ready
from support.connection_pair import frame_of

HELLO = Hello(WIRE_VERSION, 1, "3.13.0")
READ = f"sys.stdin.buffer.read({len(frame_of(Memory()))}); sys.stdin.buffer.read1(65536)"
"""What comes with the memory, and then what the host says."""


def saying(data: bytes) -> str:
    return f"import os, sys; os.write(1, {data!r})"


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., StartFailed]:
    """Starts a worker that runs the given program, and gives how that fails."""

    def start(program: str, clock_start: float = 10.0) -> StartFailed:
        monkeypatch.setattr(launch, "command", lambda *_: [sys.executable, "-I", "-c", program])
        order = WorkerOrder(tmp_path, (), {}, 4, False, clock_start=clock_start, clock_kill=5.0)

        async def main() -> StartFailed:
            worker = Worker(order, print, print, print, print)
            with pytest.raises(StartFailed) as failed:
                await worker.start(Path(sys.executable))
            assert worker.free_places() == 0
            await worker.ended()
            return failed.value

        return asyncio.run(main())

    return start


Start = Callable[..., StartFailed]


@pytest.mark.parametrize(
    ("program", "code", "message"),
    [
        ("raise SystemExit(3)", "worker_died", "exited with status 3 before it was ready"),
        ("import os; os.kill(os.getpid(), 9)", "worker_died", "was killed by SIGKILL"),
        (saying(b"Traceback (most recent call last)"), "worker_died", "broke the protocol (a frame announces"),
        (saying(frame_of(Ready(()))), "worker_died", "broke the protocol (Ready came when the connection was new"),
        (saying(frame_of(HELLO)[:-1]), "worker_died", "exited with status 0"),
        ("import os, time; os.close(0); os.close(1); time.sleep(1000)", "worker_died", "was killed by SIGKILL"),
        (saying(frame_of(HELLO._replace(wire=99))) + f"; {READ}", "wire_mismatch", "started again"),
    ],
)
def test_a_start_that_fails_is_explained(start: Start, program: str, code: str, message: str) -> None:
    failed = start(program)
    assert failed.code == code
    assert message in failed.message


def test_a_start_has_a_clock(start: Start) -> None:
    failed = start("import time; time.sleep(1000)", clock_start=0.3)
    assert failed.code == "start_timeout"
    assert "clock_start can be raised" in failed.message


def test_a_worker_that_does_not_drain_in_its_time_is_given_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = saying(frame_of(HELLO)) + f"; {READ}; " + saying(frame_of(Ready(()))) + "; import time; time.sleep(1000)"
    monkeypatch.setattr(launch, "command", lambda *_: [sys.executable, "-I", "-c", program])
    order = WorkerOrder(tmp_path, (), {}, 4, False, clock_start=10.0, clock_kill=60.0)

    async def main() -> str:
        worker = Worker(order, print, print, print, print)
        await worker.start(Path(sys.executable))
        async with asyncio.timeout(30):
            return await worker.drain(0.1)

    assert asyncio.run(main()) == "was killed by SIGTERM"


def nested() -> Any:  # noqa: ANN401 - a list of lists of lists
    value: list[Any] = []
    for _ in range(900):
        value = [value]
    return value


FORGED: tuple[Any, ...] = (
    "no problem",
    None,
    [],
    {"code": ["x"], "message": nested(), "line": "seven", "file": 7, "key": {}, "remedy": None},
    {b"code": "x", 7: "y", "code": "syntax_error", "message": "real", "line": 3, (1, "a"): "z"},
)


def test_what_a_worker_tells_of_its_problems_can_be_shown_whatever_it_is(start: Start) -> None:
    messages: list[Message] = [HELLO, LoadFailed(FORGED)]
    program = f"import os, sys; os.write(1, {frame_of(messages[0])!r}); {READ}; os.write(1, {frame_of(messages[1])!r})"
    failed = start(program)
    assert failed.code == "load_failed"
    assert failed.problems[-1] == {"code": "syntax_error", "message": "real", "line": 3}
    assert json.dumps(failed.problems)
    assert [finding_of(problem).code for problem in failed.problems] == ["load_failed", "syntax_error"]


def test_what_a_worker_said_last_waits_for_nobody_who_reads_the_log(
    start: Start, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("endpointd.logs.logs.is_behind", lambda: True)
    start("raise SystemExit('why it ends')")
    assert capsys.readouterr().out == "why it ends\n"
