"""`self.session` of Dify's SDK: each call reaches the host as one on the wire, and the reply reaches the plugin."""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from endpointd_wire.frames import MAX_PIECE, pack_value, unpack_value
from endpointd_wire.messages import (
    Abandon,
    Answered,
    Call,
    CallCredit,
    Cancel,
    Closed,
    Credit,
    Data,
    End,
    Failed,
    Refused,
    Reply,
    Response,
)
from official.conftest import StartOfficial
from support.sdks import ALL
from support.worker_process import WorkerProcess

# Packages may have to be fetched first.
pytestmark = pytest.mark.timeout(300)

USAGE = {
    **dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 1),
    **dict.fromkeys(("prompt_unit_price", "completion_unit_price", "prompt_price", "completion_price"), "0.1"),
    **dict.fromkeys(("prompt_price_unit", "completion_price_unit", "total_price"), "0.1"),
    "currency": "USD",
    "latency": 0.1,
}
NODE = {"process_data": {}, "inputs": {}, "outputs": {"n": "v"}}
FILE = {"id": "f", "name": "a.png", "size": 8, "extension": ".png", "mime_type": "image/png"}


def chunk(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "tool_calls": []}
    return {"model": "m", "prompt_messages": [], "delta": {"index": 0, "message": message, "usage": USAGE}}


@dataclass(frozen=True)
class Case:
    """The host is asked for `kind`, with `asked` among the arguments and `body` behind them, replies with `items`, and
    the plugin has `found`."""

    kind: str
    asked: dict[str, Any]
    items: tuple[Any, ...]
    found: Any
    body: bytes = b""


CASES = {
    "get": Case("storage", {"opt": "get", "key": "k"}, (b"\x00", b"\xff"), "\x00\xff"),
    "set": Case("storage", {"opt": "set", "key": "k", "size": 2}, (), None, b"\x00\xff"),
    "delete": Case("storage", {"opt": "del", "key": "k"}, (), None),
    "exist": Case("storage", {"opt": "exist", "key": "k"}, (True,), True),
    "chat": Case(
        "app",
        {"app_id": "a", "query": "q", "inputs": {"x": 1}, "response_mode": "streaming", "conversation_id": "c"},
        ({"event": "message", "answer": "A"}, {"event": "message_end"}),
        [{"event": "message", "answer": "A"}, {"event": "message_end"}],
    ),
    "chat-blocking": Case("app", {"response_mode": "blocking"}, ({"answer": "A"},), {"answer": "A"}),
    "workflow": Case("app", {"app_id": "a", "inputs": {"x": 1}}, ({"data": {}},), {"data": {}}),
    "completion": Case("app", {"app_id": "a", "response_mode": "streaming"}, ({"event": "x"},), [{"event": "x"}]),
    "fetch-app": Case("fetch_app", {"app_id": "a"}, ({"name": "n"},), {"name": "n"}),
    "llm": Case(
        "llm",
        {"provider": "p", "model": "m", "model_type": "llm", "mode": "chat", "stop": ["x"], "stream": True},
        (chunk("Hel"), chunk("lo")),
        ["Hel", "lo"],
    ),
    "llm-whole": Case("llm", {"stream": False}, (chunk("Hel"), chunk("lo")), "Hello"),
    "embedding": Case(
        "text_embedding",
        {"texts": ["t"], "input_type": "query"},
        (
            {
                "model": "m",
                "embeddings": [[0.5]],
                "usage": {
                    "tokens": 1,
                    "total_tokens": 1,
                    "unit_price": "0",
                    "price_unit": "0",
                    "total_price": "0",
                    "currency": "USD",
                    "latency": 0.1,
                },
            },
        ),
        [[0.5]],
    ),
    "rerank": Case(
        "rerank",
        {"docs": ["d"], "query": "q", "top_n": 1},
        ({"model": "m", "docs": [{"index": 0, "text": "d", "score": 0.5}]},),
        0.5,
    ),
    "tts": Case("tts", {"content_text": "t", "voice": "v"}, ({"result": b"\x00"}, {"result": b"\xff"}), "\x00\xff"),
    "speech": Case("speech2text", {"model": "m"}, ({"result": "heard"},), "heard", b"\x00\xffsound"),
    "moderation": Case("moderation", {"text": "t"}, ({"result": True},), True),
    "summary": Case("system_summary", {"text": "long", "instruction": "shorten"}, ({"summary": "s"},), "s"),
    "tool": Case(
        "tool",
        {"tool_type": "builtin", "provider": "time", "tool": "now", "tool_parameters": {"tz": "utc"}},
        ({"type": "text", "message": {"text": "noon"}},),
        ["noon"],
    ),
    "extractor": Case("node_parameter_extractor", {"query": "q"}, (NODE,), {"n": "v"}),
    "classifier": Case("node_question_classifier", {"query": "q"}, (NODE,), {"n": "v"}),
    "upload": Case("upload_file", {"filename": "a.png", "mimetype": "image/png"}, (FILE,), "image", b"\x00\xffpixels"),
}


@pytest.fixture(scope="module", params=ALL)
def worker(request: pytest.FixtureRequest, start_official: StartOfficial) -> WorkerProcess:
    return start_official(request.param, "calls.py")


def begin(worker: WorkerProcess, name: str) -> tuple[int, Call]:
    """Have the plugin make a call; returns the request's stream, and the call."""
    stream = worker.host.request(path=f"/{name}".encode())
    call = worker.host.hear(Call)
    assert call.within == stream
    return stream, call


def result(worker: WorkerProcess, stream: int) -> Any:  # noqa: ANN401 - JSON
    """What the plugin has found. It may have given its call up before it had all of the reply."""
    body = b""
    while True:
        message = worker.host.hear_any()
        assert not isinstance(message, Failed), worker.host.logs[-1]
        if isinstance(message, Response | Data):
            assert message.stream == stream
            body += message.body
        if isinstance(message, Closed) or getattr(message, "end", End.MORE) == End.STREAM:
            return json.loads(body)


@pytest.mark.parametrize("name", CASES)
def test_a_call_and_its_reply(worker: WorkerProcess, name: str) -> None:
    case = CASES[name]
    stream, call = begin(worker, name)
    arguments = unpack_value(call.body[: call.head])
    assert call.kind == case.kind
    assert {key: arguments[key] for key in case.asked} == case.asked
    assert call.body[call.head :] == case.body
    worker.host.say(*(Reply(call.call, End.BODY, pack_value(item)) for item in case.items))
    worker.host.say(Answered(call.call))
    assert result(worker, stream) == case.found


def test_what_the_host_refuses_is_the_sdks_own_error(worker: WorkerProcess) -> None:
    stream, call = begin(worker, "get")
    worker.host.say(Refused(call.call, "missing", "nothing is stored under 'k'"))
    assert result(worker, stream) == {"error": "Exception", "text": "nothing is stored under 'k'"}


def test_a_reply_that_breaks_off_is_an_error(worker: WorkerProcess) -> None:
    stream, call = begin(worker, "llm")
    worker.host.say(Reply(call.call, End.BODY, pack_value(chunk("Hel"))), Refused(call.call, "failed", "it fell"))
    assert result(worker, stream) == {"error": "Exception", "text": "it fell"}


def test_a_reply_of_which_one_item_is_enough_is_given_up(worker: WorkerProcess) -> None:
    stream, call = begin(worker, "first-of-many")
    worker.host.say(Reply(call.call, End.BODY, pack_value({"answer": "A"})))
    assert worker.host.hear(Abandon) == Abandon(call.call)
    assert result(worker, stream) == {"answer": "A"}


def test_nothing_is_asked_before_a_stream_is_read(worker: WorkerProcess) -> None:
    assert "generator" in result(worker, worker.host.request(path=b"/never-begun"))


def test_a_part_of_the_session_may_be_made_by_hand(worker: WorkerProcess) -> None:
    stream, call = begin(worker, "chat-by-hand")
    worker.host.say(Reply(call.call, End.BODY, pack_value({"answer": "A"})), Answered(call.call))
    assert result(worker, stream) == {"answer": "A"}


def test_what_a_session_knows(worker: WorkerProcess) -> None:
    found = result(worker, worker.host.request(path=b"/ids", request_id="r-7", script="/e/pond"))
    assert found == ["r-7", "pond", None, None, "local"]


def test_the_executor_of_a_session_works(worker: WorkerProcess) -> None:
    assert result(worker, worker.host.request(path=b"/executor")) is True


def test_a_call_of_a_cancelled_request_ends(worker: WorkerProcess) -> None:
    stream, call = begin(worker, "chat")
    worker.host.say(Cancel(stream, "the client has gone"))
    assert worker.host.hear(Abandon) == Abandon(call.call)
    assert worker.host.hear(Closed) == Closed(stream)


def test_a_large_value_is_stored_and_read(worker: WorkerProcess) -> None:
    value = bytes(range(256)) * 8192
    stream = worker.host.request(path=b"/get")
    call = worker.host.hear(Call)
    packed = pack_value(value)
    pieces = [packed[start : start + MAX_PIECE] for start in range(0, len(packed), MAX_PIECE)]
    while pieces:
        if worker.host.connection.calls.window(call.call) >= len(pieces[0]):
            piece = pieces.pop(0)
            worker.host.say(Reply(call.call, End.MORE if pieces else End.BODY, piece))
        else:
            worker.host.hear(CallCredit)
    worker.host.say(Answered(call.call))
    answer = b""
    while not isinstance(message := worker.host.hear_any(), Closed):
        if isinstance(message, Response | Data):
            answer += message.body
            if message.end == End.STREAM:
                break
            if message.body:
                worker.host.say(Credit(stream, len(message.body)))
    assert json.loads(answer).encode("latin-1") == value


def test_threads_go_on_calling_when_their_request_is_over(worker: WorkerProcess) -> None:
    assert result(worker, worker.host.request(path=b"/thread")) == "started"
    assert result(worker, worker.host.request(path=b"/let-it-call")) == "may call"
    call = worker.host.hear(Call)
    assert (call.within, call.kind) == (0, "storage")
    worker.host.say(Reply(call.call, End.BODY, pack_value(b"found")), Answered(call.call))
    stream = worker.host.request(path=b"/what-it-found")
    assert result(worker, stream) == "found"


def test_every_module_of_the_sdk_can_be_imported(worker: WorkerProcess) -> None:
    assert result(worker, worker.host.request(path=b"/modules")) == []
