"""Servers with the API of OpenAI: what each call becomes there, and what comes of it."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

import pytest

from endpointd.backends import results
from endpointd.backends.lines import Line
from endpointd.sessions.errors import CallRefused
from support.asking import Asking, answer, everything, settings_of
from support.stand_in import Answer, Step, as_json
from support.stand_in_dify import event
from support.stand_in_openai import DONE, KEY, STREAM, TOOL_CALLS, TOOL_STREAM, OpenAiStandIn, delta

MODEL = {"provider": "p", "model": "small", "model_type": "llm", "mode": "chat", "completion_params": {}}
HELLO = [{"role": "user", "content": "hello", "name": None}]
CHAT: dict[str, Any] = {**MODEL, "prompt_messages": HELLO, "tools": None, "stop": None, "stream": True}
WHOLE = {**CHAT, "stream": False}


def asking(server: OpenAiStandIn, **settings: object) -> Asking:
    given: dict[str, Any] = {"url": f"{server.url}/v1", "key": {"env": KEY}, "models": {"small": "llama"}, **settings}
    return Asking(settings_of("openai", **given))


@pytest.fixture
def ask(openai: OpenAiStandIn) -> Asking:
    return asking(openai)


def refusal(ask: Asking, kind: str = "llm", arguments: Mapping[str, Any] = CHAT) -> CallRefused:
    with pytest.raises(CallRefused) as refused:
        ask(kind, arguments)
    assert KEY not in str(refused.value)
    return refused.value


AT_ONCE: list[tuple[str, dict[str, Any]]] = [
    ("llm", WHOLE),
    ("text_embedding", {**MODEL, "texts": ["a"]}),
    ("rerank", {**MODEL, "docs": ["a"], "query": "q"}),
    ("moderation", {**MODEL, "text": "a"}),
    ("speech2text", MODEL),
]
"""Calls whose answers come as a whole."""
IN_PIECES: list[tuple[str, dict[str, Any]]] = [("llm", CHAT), ("tts", {**MODEL, "content_text": "say"})]


def text_of(chunks: list[Any]) -> str:
    return "".join(chunk["delta"]["message"]["content"] for chunk in chunks)


# Chats


def test_a_chat_streams(openai: OpenAiStandIn, ask: Asking) -> None:
    chunks = ask("llm", CHAT)
    assert text_of(chunks) == "Hello"
    assert [chunk["delta"]["index"] for chunk in chunks] == [0, 1, 2, 3]
    assert {chunk["model"] for chunk in chunks} == {"real-model"}
    assert [chunk["delta"]["finish_reason"] for chunk in chunks] == [None, None, "stop", None]
    usage = chunks[-1]["delta"]["usage"]
    assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (5, 2, 7)
    asked = openai.last("/v1/chat/completions")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.json == {
        "model": "llama",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_chat_may_be_answered_at_once(openai: OpenAiStandIn, ask: Asking) -> None:
    (chunk,) = ask("llm", WHOLE)
    assert text_of([chunk]) == "Hello"
    assert chunk["delta"]["finish_reason"] == "stop"
    assert chunk["delta"]["usage"]["total_tokens"] == 7
    assert "stream" not in openai.last("/v1/chat/completions").json


def test_a_server_without_a_key_gets_none(openai: OpenAiStandIn) -> None:
    error = refusal(asking(openai, key=None))
    assert "authorization" not in openai.asked[0].headers
    assert "does not accept the key" in error.text


def test_tool_calls_arrive_whole(openai: OpenAiStandIn, ask: Asking) -> None:
    openai.stream = TOOL_STREAM
    chunks = ask("llm", CHAT)
    assert [call for chunk in chunks for call in chunk["delta"]["message"]["tool_calls"]] == TOOL_CALLS
    openai.message = {"role": "assistant", "content": None, "tool_calls": TOOL_CALLS}
    (chunk,) = ask("llm", WHOLE)
    assert chunk["delta"]["message"]["tool_calls"] == TOOL_CALLS


def test_tool_calls_arrive_though_nothing_says_that_they_are_whole(openai: OpenAiStandIn, ask: Asking) -> None:
    openai.stream = [*TOOL_STREAM[:-2], DONE]
    assert ask("llm", CHAT)[-1]["delta"]["message"]["tool_calls"] == TOOL_CALLS


def test_a_structured_answer_is_read(openai: OpenAiStandIn, ask: Asking) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    openai.stream = [delta('{"a"'), delta(": 1}"), delta(None, "stop"), DONE]
    chunks = ask("llm_structured_output", {**CHAT, "structured_output_schema": schema})
    assert text_of(chunks) == '{"a": 1}'
    assert [chunk["structured_output"] for chunk in chunks if "structured_output" in chunk] == [{"a": 1}]
    asked = openai.last("/v1/chat/completions").json
    assert asked["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    openai.message = {"role": "assistant", "content": '{"a": 2}'}
    (chunk,) = ask("llm_structured_output", {**WHOLE, "structured_output_schema": schema})
    assert chunk["structured_output"] == {"a": 2}


def test_a_structured_answer_that_is_none_is_a_failure(openai: OpenAiStandIn, ask: Asking) -> None:
    openai.stream = [delta("I cannot"), delta(None, "stop"), DONE]
    error = refusal(ask, "llm_structured_output", {**CHAT, "structured_output_schema": {}})
    assert "not as OpenAI's: JSONDecodeError" in error.text


def test_a_summary_needs_a_model(openai: OpenAiStandIn, ask: Asking) -> None:
    call = {"text": "long", "instruction": "In one word."}
    error = refusal(ask, "system_summary", call)
    assert (error.code, "write summary_model into [backend.it]" in error.text) == ("unconfigured", True)
    assert asking(openai, summary_model="big")("system_summary", call) == [{"summary": "Hello"}]
    asked = openai.last("/v1/chat/completions").json
    assert asked["model"] == "big"
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert "In one word." in asked["messages"][0]["content"]


# Prompts


def test_parameters_go_along(openai: OpenAiStandIn, ask: Asking) -> None:
    parameters = {"temperature": 0.2, "response_format": "json_object", "model": "other", "stream": False, "n": 3}
    tool = {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}
    ask("llm", {**CHAT, "completion_params": parameters, "tools": [tool], "stop": ["END"]})
    asked = openai.last("/v1/chat/completions").json
    del asked["messages"], asked["stream_options"]
    assert asked == {
        "model": "llama",
        "stream": True,
        "temperature": 0.2,
        "response_format": {"type": "json_object"},
        "stop": ["END"],
        "tools": [{"type": "function", "function": tool}],
    }


def test_messages_of_every_kind_go_along(openai: OpenAiStandIn, ask: Asking) -> None:
    contents = [
        {"type": "text", "data": "see"},
        {"type": "image", "url": "http://x/a.png", "detail": "high"},
        {"type": "image", "base64_data": "AAAA", "mime_type": "image/jpeg"},
        {"type": "audio", "base64_data": "BBBB", "format": "mp3"},
        {"type": "document", "base64_data": "CCCC", "mime_type": "application/pdf", "filename": "a.pdf"},
    ]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": contents, "name": "ada"},
        {"role": "assistant", "content": "", "tool_calls": TOOL_CALLS},
        {"role": "tool", "content": "seen", "tool_call_id": "call-1"},
    ]
    ask("llm", {**CHAT, "prompt_messages": messages})
    assert openai.last("/v1/chat/completions").json["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "see"},
                {"type": "image_url", "image_url": {"url": "http://x/a.png", "detail": "high"}},
                {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,AAAA", "detail": "auto"}},
                {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,CCCC"}},
            ],
            "name": "ada",
        },
        {"role": "assistant", "content": "", "tool_calls": TOOL_CALLS},
        {"role": "tool", "content": "seen", "tool_call_id": "call-1"},
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"model": ""}, "the call names no model"),
        ({"prompt_messages": None}, "prompt_messages is no list"),
        ({"prompt_messages": ["hello"]}, "a dict with a role"),
        ({"prompt_messages": [{"role": "user", "content": ["x"]}]}, "a dict with a type"),
        ({"prompt_messages": [{"role": "user", "content": [{"type": "video"}]}]}, "no content of the type 'video'"),
        ({"prompt_messages": [{"role": "user", "content": [{"type": "image"}]}]}, "neither url nor base64_data"),
        ({"tools": [1]}, "a tool is a dict with a name"),
        ({"completion_params": 1}, "completion_params is no dict"),
        ({"prompt_messages": [{"role": "assistant", "tool_calls": [1]}]}, "a dict with a function"),
    ],
)
def test_a_call_that_makes_no_sense_is_not_sent(
    openai: OpenAiStandIn, ask: Asking, change: dict[str, Any], text: str
) -> None:
    error = refusal(ask, "llm", {**CHAT, **change})
    assert (error.code, text in error.text, openai.asked) == ("invalid", True, [])


# Other models


def test_embeddings_are_in_the_order_of_their_texts(openai: OpenAiStandIn, ask: Asking) -> None:
    (found,) = ask("text_embedding", {**MODEL, "texts": ["a", "bb"], "input_type": "query"})
    assert found["embeddings"] == [[1.0], [2.0]]
    assert (found["model"], found["usage"]["tokens"]) == ("llama", 3)
    assert openai.last("/v1/embeddings").json["encoding_format"] == "float"


def test_documents_are_ranked(openai: OpenAiStandIn, ask: Asking) -> None:
    call = {**MODEL, "docs": ["a", "b", "c"], "query": "q", "top_n": 2, "score_threshold": 0.4}
    (found,) = ask("rerank", call)
    assert found["docs"] == [{"index": 0, "text": "a", "score": 1.0}, {"index": 1, "text": "b", "score": 0.5}]
    assert openai.last("/v1/rerank").json == {"model": "llama", "query": "q", "documents": ["a", "b", "c"], "top_n": 2}


@pytest.mark.parametrize(("text", "expected"), [("good", False), ("bad", True)])
def test_texts_are_moderated(ask: Asking, text: str, expected: bool) -> None:
    assert ask("moderation", {**MODEL, "text": text}) == [{"result": expected}]


def test_sound_arrives_as_it_is_made(openai: OpenAiStandIn, ask: Asking) -> None:
    openai.sound = [b"one", Step.WAIT, b"two"]

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "tts", {**MODEL, "voice": "ash", "content_text": "say"})) as items:
            assert await anext(items) == {"result": b"one"}
            openai.go()
            assert [item async for item in items] == [{"result": b"two"}]

    ask.run(use)
    assert openai.last("/v1/audio/speech").json == {"model": "llama", "voice": "ash", "input": "say"}


def test_sound_is_heard(openai: OpenAiStandIn, ask: Asking) -> None:
    sound = os.urandom(3_000_000)
    ((found),) = ask("speech2text", MODEL, sound)
    asked = openai.last("/v1/audio/transcriptions")
    assert found == {"result": f"{len(asked.body)} bytes"}
    assert sound in asked.body
    assert b'name="model"\r\n\r\nllama\r\n' in asked.body


# Ends and trouble


def test_who_wants_no_more_ends_it_at_the_server(openai: OpenAiStandIn, ask: Asking) -> None:
    openai.stream = [delta("x"), Step.STAY]

    async def use(line: Line) -> None:
        async with aclosing(answer(line, "llm", CHAT)) as items:
            await anext(items)
        assert await asyncio.to_thread(openai.left) == "/v1/chat/completions"

    ask.run(use)


def test_a_hundred_at_once(openai: OpenAiStandIn, ask: Asking) -> None:
    def own(asked: Any) -> Answer:  # noqa: ANN401
        text = asked.json["messages"][0]["content"]
        steps: list[bytes | Step] = [Step.WAIT, *(event(delta(text)) for _ in range(3)), DONE]
        return Answer(200, "text/event-stream", steps)

    openai.answer = own

    async def use(line: Line) -> None:
        calls = [
            asyncio.create_task(
                everything(line, "llm", {**CHAT, "prompt_messages": [{"role": "user", "content": str(n)}]})
            )
            for n in range(100)
        ]
        await asyncio.to_thread(openai.wait_for, 100)
        openai.go(100)
        assert [text_of(chunks) for chunks in await asyncio.gather(*calls)] == [str(n) * 3 for n in range(100)]

    ask.run(use)
    assert openai.most_at_once == 100


@pytest.mark.parametrize(
    ("last", "text"),
    [
        ([Step.BREAK], "broke off"),
        ([], "ended its answer before it was whole"),
        ([{"error": {"message": f"overloaded {KEY}"}}], "says: overloaded ********"),
        ([{"choices": [1]}], "not as OpenAI's"),
        ([{"choices": [{"delta": {"tool_calls": [{"index": "x"}]}}]}], "not as OpenAI's"),
        ([b'data: {"usage": {"prompt_tokens": 1e999}}\n\n'], "not as OpenAI's: OverflowError"),
        ([[1]], "no JSON object"),
        ([b"data: {\n\n"], "not JSON"),
    ],
)
def test_a_failure_comes_after_what_came_before(openai: OpenAiStandIn, ask: Asking, last: list[Any], text: str) -> None:
    openai.stream = [*STREAM[:2], *last]

    async def use(line: Line) -> CallRefused:
        async with aclosing(answer(line, "llm", CHAT)) as items:
            assert text_of([await anext(items), await anext(items)]) == "Hello"
            with pytest.raises(CallRefused) as refused:
                await anext(items)
            return refused.value

    error = ask.run(use)
    assert error.code == "failed"
    assert text in error.text


def test_tool_calls_have_a_bound(openai: OpenAiStandIn, ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "MAX_TOOL_CALLS", 10_000)
    piece = delta(tool_calls=[{"index": 0, "function": {"arguments": "x" * 1000}}])
    openai.stream = [piece] * 20
    assert "tool calls of more than 10000 bytes" in refusal(ask).text


@pytest.mark.parametrize(("kind", "arguments"), [*AT_ONCE, *IN_PIECES, ("system_summary", {"text": "long"})])
def test_an_error_may_have_the_status_of_a_success(openai: OpenAiStandIn, kind: str, arguments: dict[str, Any]) -> None:
    openai.answer = lambda _: as_json({"error": {"message": f"overloaded {KEY}", "code": 502}})
    error = refusal(asking(openai, summary_model="big"), kind, arguments)
    assert (error.code, error.text) == ("failed", "the backend 'it' says: overloaded ********")


@pytest.mark.parametrize(("kind", "arguments"), IN_PIECES)
@pytest.mark.parametrize("said", [{"choices": [], "error": None}, [1]])
def test_what_comes_as_a_whole_and_not_in_pieces_is_a_failure(
    openai: OpenAiStandIn, ask: Asking, kind: str, arguments: dict[str, Any], said: object
) -> None:
    openai.answer = lambda _: as_json(said)
    error = refusal(ask, kind, arguments)
    assert (error.code, "sent JSON in the place of" in error.text) == ("failed", True)


def test_a_number_without_end_is_a_failure(openai: OpenAiStandIn, ask: Asking) -> None:
    usage = b'{"choices": [{"message": {"content": "x"}}], "usage": {"prompt_tokens": 1e999}}'
    openai.answer = lambda _: Answer(steps=[usage])
    assert "not as OpenAI's: OverflowError" in refusal(ask, "llm", WHOLE).text


@pytest.mark.parametrize(("kind", "arguments"), AT_ONCE)
@pytest.mark.parametrize("said", [{}, [], 1, {"choices": [], "data": [1], "results": [1], "text_": 1}])
def test_an_answer_that_is_none_is_a_failure(
    openai: OpenAiStandIn, ask: Asking, kind: str, arguments: dict[str, Any], said: object
) -> None:
    openai.answer = lambda _: as_json(said)
    error = refusal(ask, kind, arguments)
    assert (error.code, "not as OpenAI's" in error.text) == ("failed", True)


def test_what_the_server_says_is_told(openai: OpenAiStandIn, ask: Asking) -> None:
    openai.answer = lambda _: as_json({"error": {"message": "The model `llama` does not exist"}}, 404)
    assert refusal(ask).text == "the backend 'it' answered with HTTP 404: The model `llama` does not exist"
