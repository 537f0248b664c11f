"""Workers for tests: real processes, and some without a process."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpointd_wire.messages import Ready
from support.held import Held
from support.thread_worker import Invoke, Kind, Logged, StartThreads, ThreadWorker
from support.worker_process import LoadPlugin, StartProcess, WorkerProcess, worker_process


@pytest.fixture
def start_process(tmp_path: Path) -> Iterator[StartProcess]:
    """Starts worker processes in the test's folder."""
    with contextlib.ExitStack() as stack:
        yield lambda own_session=False: stack.enter_context(worker_process(tmp_path, own_session=own_session))


@pytest.fixture
def load(start_process: StartProcess, tmp_path: Path) -> LoadPlugin:
    """Starts a worker whose plugin consists of the given files; the first is its only source."""

    def load(files: dict[str, str], *, development: bool = False) -> WorkerProcess:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        worker = start_process()
        answer = worker.load(tmp_path, next(iter(files)), development=development)
        assert isinstance(answer, Ready), answer
        return worker

    return load


@pytest.fixture
def start_threads(request: pytest.FixtureRequest) -> Iterator[StartThreads]:
    """Starts workers without a process. The n-th function answers the requests for source n; its kind is the fixture's
    parameter."""
    kind = getattr(request, "param", Kind.THREAD)
    workers: list[ThreadWorker] = []

    def start(*functions: Invoke, pool: bool = True, development: bool = False) -> ThreadWorker:
        worker = ThreadWorker(functions, development=development, kind=kind)
        workers.append(worker)
        if pool:
            worker.start()
        return worker

    yield start
    for worker in workers:
        worker.close()


@pytest.fixture
def held() -> Iterator[Held]:
    held = Held()
    yield held
    held.gate.set()


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Logged:
    """What the plugin's log says."""
    caplog.set_level(logging.INFO)
    return lambda: caplog.text
