"""Calls of a plugin in a real worker: items as they are made, ends from either side, other threads, trouble."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from endpointd.testing import AnswerBroken, CallRefused, FakeSession, PluginLoader
from endpointd_wire.states import Phase
from sessions.conftest import EVERYTHING, Run
from support.eventually import eventually
from support.gates import Gate
from support.probe import TEXT, probe

WAIT_SECONDS = 10

CHAT = """\
def body():
    for event in self.session.app.chat.invoke("app-1", "hello", {"a": 1}):
        yield event["answer"]
return Response(body())
"""


class Answering:
    """An answer of `count` items, each when the test says so."""

    def __init__(self, count: int = 20_000) -> None:
        self._count = count
        self.go = threading.Semaphore(0)
        self.begun = threading.Event()
        self._closed = threading.Event()
        self._made = 0

    def was_ended(self) -> bool:
        """Whether it was closed before its end."""
        self.go.release(self._count)
        return self._closed.wait(WAIT_SECONDS) and self._made < self._count

    def __call__(self, _: dict[str, Any]) -> Iterator[object]:
        self.begun.set()
        try:
            for number in range(self._count):
                assert self.go.acquire(timeout=WAIT_SECONDS)
                self._made += 1
                yield f"{number} "
        finally:
            self._closed.set()


# Items


def test_items_arrive_as_they_are_made(run: Run) -> None:
    answering = Answering(100)
    client = run(CHAT, FakeSession(answers={"app": answering}))
    answering.go.release()
    response = client.get("/")
    pieces: Iterator[Any] = iter(response.response)
    assert next(pieces) == b"0 "
    answering.go.release()
    assert next(pieces) == b"1 "
    answering.go.release(98)
    # Those that are there together may come as one piece.
    assert b"".join(pieces) == b"".join(b"%d " % number for number in range(2, 100))


def test_what_is_asked_for_is_seen_by_the_test(run: Run) -> None:
    session = FakeSession(answers={"app": ["Hi ", "there"]})
    assert run(CHAT, session).get("/").data == b"Hi there"
    (call,) = session.calls_of("app")
    assert call.arguments == {
        "app_id": "app-1",
        "query": "hello",
        "inputs": {"a": 1},
        "conversation_id": "",
        "user": None,
        "response_mode": "streaming",
    }


ROUND = "return Response(self.session.app.workflow.invoke('app-1', {'text': r.get_data(as_text=True)})['text'])"


@pytest.mark.parametrize("size", [300_000, 5_000_000])
def test_arguments_and_items_may_be_large(run: Run, size: int) -> None:
    client = run(ROUND, FakeSession(answers={"app": lambda arguments: {"text": arguments["inputs"]["text"]}}))
    text = "".join(f"{number:07}." for number in range(size // 8))
    assert client.post("/", data=text).data == text.encode()


def test_arguments_have_a_largest_size(run: Run) -> None:
    client = run(ROUND, FakeSession(answers={"app": {"text": ""}}))
    assert client.post("/", data=bytes(b"x" * 17_000_000)).status_code == 500
    assert "the maximum is 16777216; send less at once" in client.log()
    assert client.post("/", data=b"x").status_code == 200


def test_a_plugin_that_does_not_read_holds_the_answer_up(run: Run, tmp_path: Path) -> None:
    """A window of it is under way, and no more is made."""
    reading, too_early = threading.Event(), []

    def answer(_: dict[str, Any]) -> Iterator[object]:
        for number in range(1000):
            if number == 30:
                too_early.append(not reading.is_set())
            yield {"answer": "x" * 100_000}

    gate = Gate(tmp_path / "gate")
    body = f"""\
if r.method == "POST":
    return Response(b"quick")
events = self.session.app.chat.invoke("app-1", "", {{}})
next(events)
wait_at({str(gate.path)!r})
return Response(str(1 + sum(1 for _ in events)))
"""
    client = run(body, FakeSession(answers={"app": answer}))
    answers: list[bytes] = []
    asked = threading.Thread(target=lambda: answers.append(client.get("/").data))
    asked.start()
    with gate:
        # It would not be held up for so long that all of this is done meanwhile.
        for _ in range(100):
            assert client.post("/").data == b"quick"
        reading.set()
        gate.open()
        asked.join(WAIT_SECONDS)
    assert answers == [b"1000"]
    assert too_early == [False]


# Ends


def test_a_client_that_leaves_ends_the_call(run: Run) -> None:
    answering = Answering()
    client = run(CHAT, FakeSession(answers={"app": answering}))
    answering.go.release()
    response = client.get("/")
    next(iter(response.response))
    response.close()
    assert answering.was_ended()


def test_a_client_that_leaves_ends_the_wait_of_the_plugin(run: Run) -> None:
    """Its thread is free although no item comes."""
    answering = Answering()
    body = CHAT.replace("        yield", "        log.info('event')\n        yield").replace(
        "def body():\n",
        "def body():\n    yield b'head'\n    try:\n        yield from more()\n    finally:\n"
        "        log.info('freed')\ndef more():\n",
    )
    client = run(body, FakeSession(answers={"app": answering}))
    response = client.get("/")
    assert next(iter(response.response)) == b"head"
    assert answering.begun.wait(WAIT_SECONDS)
    response.close()
    client.wait_for_log("freed")
    assert "event" not in client.log()
    answering.go.release()


def test_a_call_that_is_not_read_to_its_end_is_ended(run: Run) -> None:
    answering = Answering()
    body = """\
for event in self.session.app.chat.invoke("app-1", "hello", {}):
    break
return Response(event["answer"])
"""
    client = run(body, FakeSession(answers={"app": answering}))
    answering.go.release(2)
    assert client.get("/").data == b"0 "
    assert answering.was_ended()


KEPT = """\
import builtins
builtins.kept = self.session.app.chat.invoke("app-1", "hello", {})
return Response(next(builtins.kept)["answer"])
"""


def test_a_call_ends_with_its_request(run: Run) -> None:
    answering = Answering()
    client = run(KEPT, FakeSession(answers={"app": answering}))
    answering.go.release(2)
    assert client.get("/").data == b"0 "
    assert answering.was_ended()


def test_nothing_is_asked_before_the_first_item_is_wanted(run: Run) -> None:
    session = FakeSession(answers={"app": ["x"]})
    assert run('self.session.app.chat.invoke("a", "b", {})\nreturn Response()', session).get("/").status_code == 200
    assert session.calls == []


# Other threads


def in_a_thread(folder: Path, work: str, after: str) -> tuple[Path, Gate]:
    gate = Gate(folder / "gate")
    body = f"""\
import threading
session = self.session
def work():
    wait_at(settings["gate"])
    {work}
    log.info("done")
threading.Thread(target=work).start()
{after}
"""
    setting = {"gate": {**TEXT, "default": str(gate.path)}}
    return probe(folder, body, setting, EVERYTHING), gate


def test_a_thread_uses_the_session_when_its_request_is_over(load_plugin: PluginLoader, tmp_path: Path) -> None:
    session = FakeSession()
    folder, gate = in_a_thread(tmp_path, "session.storage.set('late', b'x')", "return Response(b'begun')")
    client = load_plugin(folder, session=session)
    assert client.get("/").data == b"begun"
    assert session.stored == {}
    gate.open()
    client.wait_for_log("done")
    assert session.stored == {"late": b"x"}


def test_a_call_of_a_thread_survives_a_client_that_leaves(load_plugin: PluginLoader, tmp_path: Path) -> None:
    answering = Answering(100)
    body = "def body():\n    yield b'head'\n    calls.wait()\n    yield b'x'\n"
    after = f"calls = threading.Event()\n{body}return Response(body())"
    folder, gate = in_a_thread(tmp_path, "calls.set(); list(session.app.chat.invoke('a', 'b', {}))", after)
    client = load_plugin(folder, session=FakeSession(answers={"app": answering}))
    response = client.get("/")
    assert next(iter(response.response)) == b"head"
    gate.open()
    assert answering.begun.wait(WAIT_SECONDS)
    response.close()
    answering.go.release(100)
    client.wait_for_log("done")


def test_a_call_that_is_under_way_when_the_worker_is_to_end_is_finished(
    load_plugin: PluginLoader, tmp_path: Path
) -> None:
    answering = Answering(100)
    folder, gate = in_a_thread(tmp_path, "list(session.app.chat.invoke('a', 'b', {}))", "return Response(b'begun')")
    client = load_plugin(folder, session=FakeSession(answers={"app": answering}))
    assert client.get("/").data == b"begun"
    gate.open()
    assert answering.begun.wait(WAIT_SECONDS)
    stopping = threading.Thread(target=client.stop)
    stopping.start()
    eventually(lambda: client._host._worker.channel.connection.phase is Phase.DRAINING)
    assert not answering.was_ended()
    stopping.join(WAIT_SECONDS)


# Refusals and trouble

ASK = """\
try:
    found = self.session.tool.invoke_builtin_tool("p", "t", {})
    return Response(json.dumps([item.message for item in found]))
except Exception as error:
    return Response(f"{error.code}: {error}")
"""


def test_a_kind_that_nobody_answers_says_so(run: Run) -> None:
    answer = run(ASK).get("/").text
    assert answer.startswith("unconfigured: nothing answers calls of the kind tool")


def test_a_kind_that_the_manifest_does_not_ask_for_is_denied(run: Run) -> None:
    session = FakeSession(answers={"tool": [{"type": "text", "message": {"text": "x"}}]})
    answer = run(ASK, session, tool={"enabled": False}).get("/").text
    assert answer.startswith("denied: permission denied: the manifest of test/probe does not ask for tool")
    assert session.calls == []


def test_an_answer_of_the_tests_may_refuse_or_fail(run: Run) -> None:
    def fail(_: dict[str, Any]) -> object:
        raise CallRefused("timeout", "too slow")

    session = FakeSession(answers={"tool": fail})
    client = run(ASK, session)
    assert client.get("/").text == "timeout: too slow"
    session.answers["tool"] = lambda arguments: arguments["nothing"]
    assert client.get("/").text == "failed: the test's answer raised KeyError: 'nothing'"
    session.answers["tool"] = object()
    assert client.get("/").text == "failed: the daemon failed at this call; its log says why"
    session.answers["tool"] = [{"type": "text", "message": {"text": "x"}}]
    assert client.get("/").get_json(force=True) == [{"text": "x"}]


def test_a_failure_after_items_comes_after_them(run: Run) -> None:
    def answer(_: dict[str, Any]) -> Iterator[object]:
        yield "one "
        raise CallRefused("failed", "it broke")

    client = run(CHAT, FakeSession(answers={"app": answer}))
    pieces = iter(client.get("/").response)
    assert next(pieces) == b"one "
    with pytest.raises(AnswerBroken, match="it broke"):
        list(pieces)


def test_arguments_that_cannot_be_sent_are_the_plugins_fault(run: Run) -> None:
    client = run("self.session.app.workflow.invoke('a', {'x': object()})")
    assert client.get("/").status_code == 500
    assert "a object cannot be sent to the daemon" in client.log() or "an object cannot be sent" in client.log()


def test_a_worker_that_dies_ends_its_calls(run: Run) -> None:
    answering = Answering()
    body = CHAT.replace("yield event", "os.kill(os.getpid(), 9); yield event")
    client = run(body, FakeSession(answers={"app": answering}))
    answering.go.release(1)
    with pytest.raises(AnswerBroken, match="went away"):
        assert client.get("/").data
    assert answering.was_ended()


def test_the_end_of_the_host_ends_calls(run: Run) -> None:
    answering = Answering()
    client = run(CHAT, FakeSession(answers={"app": answering}))
    answering.go.release(1)
    response = client.get("/")
    next(iter(response.response))
    stopping = threading.Thread(target=client.stop)
    stopping.start()
    with pytest.raises(AssertionError, match="was ended"):
        list(response.response)
    assert answering.was_ended()
    stopping.join(WAIT_SECONDS)


def test_a_child_of_the_plugins_cannot_call(run: Run) -> None:
    body = """\
child = os.fork()
if child == 0:
    try:
        self.session.storage.set("a", b"x")
    except Exception as error:
        os._exit(7)
    os._exit(0)
return Response(str(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])))
"""
    session = FakeSession()
    assert run(body, session).get("/").data == b"7"
    assert session.stored == {}


def test_a_slow_call_delays_no_other_request(run: Run) -> None:
    answering = Answering(100)
    body = "if r.method == 'POST':\n    return Response(b'quick')\n" + CHAT
    client = run(body, FakeSession(answers={"app": answering}))
    first: list[bytes] = []
    asking = threading.Thread(target=lambda: first.append(client.get("/").data))
    asking.start()
    assert answering.begun.wait(WAIT_SECONDS)
    assert client.post("/").data == b"quick"
    answering.go.release(100)
    asking.join(WAIT_SECONDS)
    assert first[0].startswith(b"0 1 2")
