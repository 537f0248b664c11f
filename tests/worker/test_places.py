"""Streams that nobody reads on keep no other call waiting for ever: real threads, and a host that ends no stream."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

import pytest
from werkzeug.wrappers import Request, Response

from endpointd.backends.dify_inner import STREAMS
from endpointd.sessions.permissions import NEEDS
from endpointd_wire.calls import MAX_CALLS
from endpointd_wire.frames import pack_value
from endpointd_wire.messages import Abandon, Answered, Call, Data, End, Reply
from endpointd_wire.messages import Response as ResponseMessage
from endpointd_worker import places
from endpointd_worker.calls import CallRefused
from endpointd_worker.places import BRIEF, MAX_STREAMS, Places
from support.eventually import eventually
from support.host_end import HostEnd
from support.thread_worker import AsyncInvoke, Invoke, Kind, StartThreads, ThreadWorker

of_either_kind = pytest.mark.parametrize(
    "start_threads", [Kind.THREAD, Kind.TASK], indirect=True, ids=["thread", "task"]
)


class Plugin:
    """What its requests do is `work`, in a thread of their own or in one that a task has made."""

    def __init__(self, start: StartThreads, kind: Kind, work: Callable[["Plugin", Request], object]) -> None:
        self._work = work
        answer: Invoke | AsyncInvoke = self._answer if kind is Kind.THREAD else self._answer_in_a_thread
        self.worker: ThreadWorker = start(answer)
        self.host = self.worker.host
        self.calls = self.worker.link.calls

    def _answer(self, r: Request) -> Response:
        return Response(str(self._work(self, r)))

    async def _answer_in_a_thread(self, r: Request) -> Response:
        return await asyncio.to_thread(self._answer, r)

    def stream(self) -> Iterator[object]:
        """One that is open, whose first item was read."""
        items = self.calls.call("llm", {})
        next(items)
        return items

    def streams(self, count: int) -> list[Iterator[object]]:
        """As many of them as there are places for."""
        found = []
        for _ in range(count):
            with contextlib.suppress(CallRefused):
                found.append(self.stream())
        return found

    def store(self) -> None:
        assert list(self.calls.call("storage", {"opt": "set"})) == []


def serve(host: HostEnd, *streams: int) -> list[bytes]:
    """The bodies of the answers. Of the calls, those for storage are answered, and of others the first item."""
    bodies = dict.fromkeys(streams, b"")
    ended = 0
    while ended < len(streams):
        message = host.hear_any()
        if isinstance(message, Call):
            answer(host, message)
        elif isinstance(message, ResponseMessage | Data):
            bodies[message.stream] += message.body
            ended += message.end == End.STREAM
        else:
            assert isinstance(message, Abandon), message
    return [*bodies.values()]


def answer(host: HostEnd, call: Call) -> int:
    host.say(Answered(call.call) if call.kind == "storage" else Reply(call.call, End.BODY, pack_value("x")))
    return call.call


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> Kind:
    """That of `start_threads`."""
    found: Kind = request.node.callspec.params["start_threads"]
    return found


@of_either_kind
def test_streams_leave_places_for_what_is_brief(
    start_threads: StartThreads, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "HOLDING", 0.0)

    def work(plugin: Plugin, _: Request) -> str:
        kept = plugin.streams(MAX_CALLS)
        plugin.store()
        return f"{len(kept)} streams, and stored"

    host = Plugin(start_threads, kind, work).host
    assert serve(host, host.request()) == [f"{MAX_STREAMS} streams, and stored".encode()]


@of_either_kind
def test_a_request_that_keeps_a_stream_does_not_wait_long_for_another(
    start_threads: StartThreads, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "HOLDING", 0.0)

    def work(plugin: Plugin, _: Request) -> str:
        kept = plugin.streams(MAX_STREAMS)
        with pytest.raises(CallRefused) as refused:
            plugin.stream()
        kept.pop()
        kept.append(plugin.stream())
        return f"{refused.value.code}: {refused.value}"

    host = Plugin(start_threads, kind, work).host
    (body,) = serve(host, host.request(request_id="r-7"))
    code, text = body.decode().split(": ", 1)
    assert code == "busy"
    assert text.startswith("a call of the kind 'llm' was not sent, for there was no place for it for 0 s: ")
    assert f"{MAX_STREAMS} of them streams (at most {MAX_STREAMS})" in text
    (log,) = host.logs
    assert (log.logger, log.text, log.request_id) == ("endpointd", text, "r-7")


def keeping_but(ask: Callable[[Plugin], object]) -> Callable[[Plugin, Request], str]:
    """Keeps all streams that there may be, and reads the first one to its end; but at /ask it only does that."""

    def work(plugin: Plugin, r: Request) -> str:
        if r.path == "/ask":
            return f"has {ask(plugin)}"
        first, *_kept = plugin.streams(MAX_STREAMS)
        return f"has read {list(first)}"

    return work


@of_either_kind
def test_a_request_that_keeps_none_waits_for_a_place(
    start_threads: StartThreads, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "HOLDING", 0.0)

    plugin = Plugin(start_threads, kind, keeping_but(lambda plugin: next(plugin.calls.call("llm", {}))))
    host = plugin.host
    keeping = host.request(path=b"/keep")
    first, *_ = [answer(host, host.hear(Call)) for _ in range(MAX_STREAMS)]
    asking = host.request(path=b"/ask")
    eventually(lambda: bool(plugin.calls.queue))
    host.say(Answered(first))
    assert serve(host, keeping, asking) == [b"has read []", b"has x"]


@of_either_kind
def test_who_has_waited_in_vain_is_told_so(
    start_threads: StartThreads, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "PATIENCE", 0.0)

    host = Plugin(start_threads, kind, keeping_but(lambda plugin: len(plugin.streams(1)))).host
    keeping = host.request(path=b"/keep")
    first, *_ = [answer(host, host.hear(Call)) for _ in range(MAX_STREAMS)]
    assert serve(host, host.request(path=b"/ask")) == [b"has 0"]
    assert "for there was no place for it for 0 s" in host.logs[-1].text
    host.say(Answered(first))
    assert serve(host, keeping) == [b"has read []"]


def test_there_are_no_more_calls_than_the_wire_allows() -> None:
    found = Places()
    assert found.is_free("storage", MAX_CALLS - 1)
    assert not found.is_free("storage", MAX_CALLS)
    assert not found.is_free("llm", MAX_CALLS)


def test_every_kind_is_brief_or_a_stream() -> None:
    assert set(NEEDS) - BRIEF == set(STREAMS)
    assert set(NEEDS) >= BRIEF
