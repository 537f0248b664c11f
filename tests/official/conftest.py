"""Workers whose plugins have Dify's SDK. The test is their host."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from endpointd_wire.messages import Closed, Credit, Data, End, Ready, Response
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


def until_over(worker: WorkerProcess, streams: set[int], *, credit: bool = True) -> dict[int, bytes]:
    """The bodies of these answers, which may come in any order."""
    bodies = dict.fromkeys(streams, b"")
    left = set(streams)
    while left:
        message = worker.host.hear_any()
        assert isinstance(message, Response | Data | Closed), message
        if not isinstance(message, Closed):
            bodies[message.stream] += message.body
        if isinstance(message, Closed) or message.end == End.STREAM:
            left.remove(message.stream)
        elif credit and message.body:
            worker.host.say(Credit(message.stream, len(message.body)))
    return bodies
