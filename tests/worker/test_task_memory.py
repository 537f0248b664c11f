"""What a task has answered is freed at once: bodies that waited for the garbage collector would gather by hundreds."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Iterator

import pytest
from werkzeug.wrappers import Request, Response

from endpointd_wire.messages import Cancel, Data, End
from endpointd_worker.logs import own_log
from support.echoes import in_a_thread, piece_by_piece
from support.host_end import WAIT_SECONDS
from support.thread_worker import AsyncInvoke, Kind, StartThreads

pytestmark = pytest.mark.parametrize("start_threads", [Kind.TASK], indirect=True, ids=["task"])


@pytest.fixture(autouse=True)
def _without_collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # The records that pytest would keep have tracebacks, and these have all that there was.
    monkeypatch.setattr(own_log, "disabled", True)
    gc.disable()
    yield
    gc.enable()


async def failing(_: Request) -> Response:
    raise KeyError


async def failing_in_a_thread(r: Request) -> Response:
    def chunks() -> Iterator[bytes]:
        yield r.get_data()
        raise KeyError

    return Response(chunks())


async def endless(_: Request) -> Response:
    await asyncio.Event().wait()
    return Response()


async def endless_in_a_thread(r: Request) -> Response:
    return Response(iter(r.stream.read, b""))


class Freed:
    """Knows when all that it has been shown is gone."""

    def __init__(self) -> None:
        self._left = 0
        self._lock = threading.Lock()
        self.all = threading.Event()

    def watch(self, thing: object) -> None:
        self._left += 1
        weakref.finalize(thing, self._note)

    def _note(self) -> None:
        with self._lock:
            self._left -= 1
            if not self._left:
                self.all.set()


@pytest.mark.parametrize(
    "answer",
    [in_a_thread, piece_by_piece, failing, failing_in_a_thread, endless, endless_in_a_thread],
    ids=lambda f: f.__name__,
)
def test_nothing_of_a_request_that_is_over_waits_for_the_collector(
    start_threads: StartThreads, answer: AsyncInvoke
) -> None:
    begun, freed = threading.Event(), Freed()

    async def watched(r: Request) -> Response:
        freed.watch(r)
        begun.set()
        return await answer(r)

    worker = start_threads(watched, pool=False)
    number = worker.host.request(method="POST", end=End.MORE, body=b"duck")
    stream = worker.receive_stream()
    freed.watch(stream)
    worker.run(stream)
    del stream
    assert begun.wait(WAIT_SECONDS)
    is_endless = answer in (endless, endless_in_a_thread)
    worker.host.say(Cancel(number, "client gone") if is_endless else Data(number, End.BODY, b"lings"))
    worker.link.receive()
    worker.host.take(number)
    assert freed.all.wait(WAIT_SECONDS)
