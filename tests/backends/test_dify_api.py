"""The public API: what each call becomes there, which key it has, what comes of the events, and how a task is ended."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import pytest

from endpointd.backends.lines import Line
from endpointd.sessions.errors import CallRefused
from support.asking import CALLER, Asking, answer, everything, settings_of
from support.stand_in import Answer, Step, as_json
from support.stand_in_dify import CHAT_KEY, FILE, FLOW_KEY, TASK, WRITE_KEY, DifyApiStandIn, event

KEYS = {"chat": CHAT_KEY, "flow": FLOW_KEY, "write": WRITE_KEY}
CHAT: dict[str, Any] = {
    "app_id": "chat",
    "query": "hello",
    "inputs": {"a": 1},
    "conversation_id": "c-1",
    "user": None,
    "response_mode": "streaming",
}
FLOW: dict[str, Any] = {"app_id": "flow", "inputs": {"a": 1}, "response_mode": "blocking", "user": "ada"}


def asking(server: DifyApiStandIn, modes: Mapping[str, str] | None = None, **settings: Any) -> Asking:  # noqa: ANN401
    apps = {name: {"key": {"env": key}, "mode": (modes or {}).get(name)} for name, key in KEYS.items()}
    return Asking(settings_of("dify-api", url=f"{server.url}/v1", apps=apps, **settings))


@pytest.fixture
def ask(public: DifyApiStandIn) -> Asking:
    return asking(public)


def refusal(ask: Asking, arguments: dict[str, Any] | None = None, kind: str = "app") -> CallRefused:
    with pytest.raises(CallRefused) as refused:
        ask(kind, CHAT if arguments is None else arguments)
    assert not [key for key in KEYS.values() if key in str(refused.value)]
    return refused.value


# What is asked


def test_a_chat_streams_its_events(public: DifyApiStandIn, ask: Asking) -> None:
    found = ask("app", CHAT)
    assert [one["event"] for one in found] == ["ping", "message", "message", "message_end"]
    assert "".join(one.get("answer", "") for one in found) == "Hello"
    asked = public.last("/v1/chat-messages")
    assert asked.headers["authorization"] == f"Bearer {CHAT_KEY}"
    assert asked.json == {
        "inputs": {"a": 1},
        "response_mode": "streaming",
        "user": CALLER.plugin,
        "query": "hello",
        "conversation_id": "c-1",
    }
    assert [one.path for one in public.asked] == ["/v1/chat-messages"]


@pytest.mark.parametrize(("app", "place"), [("flow", "/v1/workflows/run"), ("write", "/v1/completion-messages")])
def test_what_kind_of_app_it_is_dify_knows(public: DifyApiStandIn, ask: Asking, app: str, place: str) -> None:
    async def twice(line: Line) -> list[Any]:
        return [await everything(line, "app", {**FLOW, "app_id": app}) for _ in range(2)]

    assert ask.run(twice)[0] == [{"event": "message", "answer": "at once: {'a': 1}"}]
    asked = public.last(place)
    assert asked.headers["authorization"] == f"Bearer {KEYS[app]}"
    assert asked.json == {"inputs": {"a": 1}, "response_mode": "blocking", "user": "ada"}
    # It is asked once.
    assert [one.path for one in public.asked] == ["/v1/info", place, place]


def test_what_kind_it_is_may_be_configured(public: DifyApiStandIn) -> None:
    asking(public, {"flow": "workflow"})("app", FLOW)
    assert [one.path for one in public.asked] == ["/v1/workflows/run"]


def test_a_workflow_streams(ask: Asking) -> None:
    found = ask("app", {**FLOW, "response_mode": "streaming"})
    assert [one["event"] for one in found] == ["workflow_started", "workflow_finished"]


@pytest.mark.parametrize(
    "last", [["message_end"], ["workflow_finished"], ["workflow_finished", "message_end"], ["workflow_paused"]]
)
def test_sound_may_follow_the_end(public: DifyApiStandIn, ask: Asking, last: list[str]) -> None:
    names = ["message", *last, "tts_message_end"]
    public.streams["/v1/chat-messages"] = [{"event": name, **TASK} for name in names]
    assert [one["event"] for one in ask("app", CHAT)] == names
    assert [one.path for one in public.asked] == ["/v1/chat-messages"]


def test_the_user_may_be_configured(public: DifyApiStandIn) -> None:
    ask = asking(public, user="the-daemon")
    ask("app", CHAT)
    ask("app", {**CHAT, "user": "eve"})
    assert [one.json["user"] for one in public.asked] == ["the-daemon", "eve"]


def test_an_app_is_described_by_its_parameters(public: DifyApiStandIn, ask: Asking) -> None:
    assert ask("fetch_app", {"app_id": "flow"}) == [{"opening_statement": "Hi"}]
    assert public.last("/v1/parameters").headers["authorization"] == f"Bearer {FLOW_KEY}"


# Files


@pytest.mark.parametrize(("settings", "key"), [({}, CHAT_KEY), ({"upload_app": "flow"}, FLOW_KEY)])
def test_a_file_is_uploaded(public: DifyApiStandIn, settings: dict[str, Any], key: str) -> None:
    content = os.urandom(100_000)
    found = asking(public, **settings)("upload_file", {"filename": "a.png", "mimetype": "image/png"}, content)
    assert found == [{**FILE, "type": "image", "preview_url": None}]
    asked = public.last("/v1/files/upload")
    assert asked.headers["authorization"] == f"Bearer {key}"
    assert content in asked.body
    assert b'name="user"\r\n\r\nacme/bot\r\n' in asked.body


@pytest.mark.parametrize("mimetype", ["text/plain", "", "a\r\nX-Evil: 1"])
def test_what_is_no_picture_is_a_document(public: DifyApiStandIn, ask: Asking, mimetype: str) -> None:
    (found,) = ask("upload_file", {"filename": "a\r\nb", "mimetype": mimetype}, b"x")
    assert found["type"] == "document"
    assert b"\r\nX-Evil" not in public.last("/v1/files/upload").body


def test_files_in_inputs_are_what_this_api_takes(public: DifyApiStandIn, ask: Asking) -> None:
    file = {"tool_file_id": "file-1", "transfer_method": "tool_file", "type": "image"}
    remote = {"transfer_method": "remote_url", "url": "http://x", "type": "image"}
    ask("app", {**CHAT, "inputs": {"one": file, "more": [file, remote], "text": "tool_file"}})
    local = {"upload_file_id": "file-1", "transfer_method": "local_file", "type": "image"}
    assert public.last("/v1/chat-messages").json["inputs"] == {
        "one": local,
        "more": [local, remote],
        "text": "tool_file",
    }


# Ends


@pytest.mark.parametrize(
    ("arguments", "stop"),
    [
        (CHAT, "/v1/chat-messages/task-1/stop"),
        ({**FLOW, "response_mode": "streaming"}, "/v1/workflows/tasks/task-1/stop"),
        ({**FLOW, "app_id": "write", "response_mode": "streaming"}, "/v1/completion-messages/task-1/stop"),
    ],
)
def test_who_wants_no_more_ends_the_task(
    public: DifyApiStandIn, ask: Asking, arguments: dict[str, Any], stop: str
) -> None:
    for place in public.streams:
        public.streams[place] = [{"event": "message", **TASK}, Step.STAY]

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "app", arguments)) as items:
            await anext(items)
        await asyncio.to_thread(public.left)

    ask.run(use)
    told = public.last(stop)
    assert told.json == {"user": arguments["user"] or CALLER.plugin}
    assert told.headers["authorization"] == f"Bearer {KEYS[arguments['app_id']]}"


def test_a_task_that_is_over_is_not_ended(public: DifyApiStandIn, ask: Asking) -> None:
    ask("app", CHAT)
    assert [one.path for one in public.asked] == ["/v1/chat-messages"]


@pytest.mark.parametrize("rest", [[], [event({"event": "message_end"}), b'data: {"event"']])
def test_a_task_whose_events_stop_coming_is_ended(public: DifyApiStandIn, ask: Asking, rest: list[bytes]) -> None:
    public.streams["/v1/chat-messages"] = [{"event": "message", **TASK}, *rest]
    assert refusal(ask).text.endswith("ended its answer before it was whole")
    assert [one.path for one in public.asked] == ["/v1/chat-messages", "/v1/chat-messages/task-1/stop"]


def test_a_dify_that_does_not_stop_is_no_trouble(public: DifyApiStandIn, ask: Asking) -> None:
    public.streams["/v1/chat-messages"] = [{"event": "message", **TASK}, Step.STAY]
    before = public.answer
    public.answer = lambda asked: as_json({}, 500) if asked.path.endswith("/stop") else before(asked)

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "app", CHAT)) as items:
            await anext(items)

    ask.run(use)
    assert public.asked[-1].path.endswith("/stop")


# Trouble


def test_an_app_without_a_key_is_named(ask: Asking) -> None:
    error = refusal(ask, {**CHAT, "app_id": "other"})
    assert error.code == "unconfigured"
    assert error.text == (
        "the backend 'it' has no key for the app 'other'; write a table [backend.it.apps.\"other\"] with its key"
    )


def test_an_app_whose_kind_nobody_knows_is_named(public: DifyApiStandIn, ask: Asking) -> None:
    public.other["/v1/info"] = lambda _: as_json({"name": "of an older Dify"})
    error = refusal(ask, FLOW)
    assert error.code == "unconfigured"
    assert 'write mode in the table [backend.it.apps."flow"]' in error.text


def test_a_key_that_is_wrong_is_not_shown(public: DifyApiStandIn, ask: Asking) -> None:
    public.modes.clear()
    assert "does not accept the key" in refusal(ask).text


FAULT = {"event": "error", "status": 400, "code": "provider_quota_exceeded", "message": f"no more ({CHAT_KEY})"}


@pytest.mark.parametrize(
    ("last", "text"),
    [
        (event(FAULT), "says: no more (********) (provider_quota_exceeded)"),
        (Step.BREAK, "broke off"),
        (b"", "ended its answer before it was whole"),
        (b'data: {"event": "mess', "ended its answer before it was whole"),
        (b"data: {\n\n", "what is not JSON"),
        (b"data: 1\n\n", "an event that is no JSON object"),
    ],
)
def test_a_failure_comes_after_what_came_before(
    public: DifyApiStandIn, ask: Asking, last: bytes | Step, text: str
) -> None:
    public.streams["/v1/chat-messages"] = [{"event": "message", "answer": "Hel"}, last]

    async def use(line: Line) -> CallRefused:
        async with aclosing(answer(line, "app", CHAT)) as items:
            assert (await anext(items))["answer"] == "Hel"
            with pytest.raises(CallRefused) as refused:
                await anext(items)
            return refused.value

    error = ask.run(use)
    assert error.code == "failed"
    assert text in error.text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (as_json({"code": "app_unavailable", "message": "App unavailable"}, 400), "HTTP 400: App unavailable"),
        (Answer(200, "text/html", [b"<html>"]), "sent text/html in the place of events"),
        (Answer(503), "HTTP 503"),
    ],
)
def test_an_answer_that_is_none_is_a_failure(public: DifyApiStandIn, ask: Asking, answer: Answer, text: str) -> None:
    public.answer = lambda _: answer
    error = refusal(ask)
    assert (error.code, text in error.text) == ("failed", True)
