"""Workers whose plugins have Dify's SDK. The test is their host."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpointd_wire.messages import Ready
from support.sdks import SdkEnvironments
from support.worker_process import WorkerProcess, worker_process

SOURCES = Path(__file__).with_name("sources")

StartOfficial = Callable[..., WorkerProcess]


@pytest.fixture(scope="session")
def sdks(tmp_path_factory: pytest.TempPathFactory) -> SdkEnvironments:
    return SdkEnvironments(tmp_path_factory.mktemp("sdks"))


@pytest.fixture(scope="module")
def start_official(sdks: SdkEnvironments) -> Iterator[StartOfficial]:
    """Starts workers with this version of the SDK, which load some of `sources/`."""
    with contextlib.ExitStack() as stack:

        def start(version: str, *sources: str) -> WorkerProcess:
            context = worker_process(SOURCES, own_session=True, interpreter=str(sdks.python(version)))
            worker = stack.enter_context(context)
            answer = worker.load(SOURCES, *sources)
            assert isinstance(answer, Ready), answer
            return worker

        yield start
