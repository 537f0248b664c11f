"""The rest of a body may be at the worker before a thread begins the request; nothing of it is lost."""

from collections.abc import Iterator

import pytest

from endpointd_wire.messages import Data, End
from endpointd_worker.environ import build_request
from support.thread_worker import ThreadWorker


@pytest.fixture
def worker() -> Iterator[ThreadWorker]:
    worker = ThreadWorker((), development=False)
    yield worker
    worker.close()


@pytest.mark.parametrize("first", [b"", b"one, "])
def test_a_body_that_has_come_before_its_request_began_is_whole(worker: ThreadWorker, first: bytes) -> None:
    message = worker.host.make_request(method="POST", end=End.MORE, body=first)
    rest = [Data(message.stream, End.MORE, b"two, "), Data(message.stream, End.BODY, b"three")]
    worker.host.say(message, *rest)
    # All three arrive together, as they do when every thread is busy.
    assert build_request(worker.receive_stream()).get_data() == first + b"two, three"
