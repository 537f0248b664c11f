"""A stand-in for a server with the API of OpenAI."""

import json
from collections.abc import Iterable
from typing import Any

from support.stand_in import Answer, Asked, StandIn, Step, as_json

KEY = "sk-stand-in-9c41"
DONE = b"data: [DONE]\n\n"


def delta(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    choice = {"index": 0, "delta": {"role": "assistant", "content": content, **more}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "model": "real-model", "choices": [choice]}


USAGE = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
STREAM: list[object] = [
    delta("Hel"),
    delta("lo"),
    delta(None, "stop"),
    {"model": "real-model", "choices": [], "usage": USAGE},
    DONE,
]
TOOL_STREAM: list[object] = [
    delta(tool_calls=[{"index": 0, "id": "call-1", "type": "function", "function": {"name": "look", "arguments": ""}}]),
    delta(tool_calls=[{"index": 0, "function": {"arguments": '{"at":'}}]),
    delta(tool_calls=[{"index": 1, "id": "call-2", "function": {"name": "go", "arguments": "{}"}}]),
    delta(tool_calls=[{"index": 0, "function": {"arguments": '"x"}'}}]),
    delta(None, "tool_calls"),
    DONE,
]
TOOL_CALLS = [
    {"id": "call-1", "type": "function", "function": {"name": "look", "arguments": '{"at":"x"}'}},
    {"id": "call-2", "type": "function", "function": {"name": "go", "arguments": "{}"}},
]


class OpenAiStandIn(StandIn):
    """`stream` is what is said to a streaming chat, `message` to another; bytes are sent as they are."""

    def reset(self) -> None:
        super().reset()
        self.answer = self._answer_openai
        self.stream: Iterable[object] = STREAM
        self.message: dict[str, Any] = {"role": "assistant", "content": "Hello"}
        self.sound: Iterable[bytes | Step] = [b"\x00\xff", b"sound"]

    def _answer_openai(self, asked: Asked) -> Answer:
        if asked.headers.get("authorization") != f"Bearer {KEY}":
            fault = {"message": f"Incorrect API key provided: {asked.headers.get('authorization')}"}
            return as_json({"error": fault}, 401)
        if asked.path == "/v1/audio/transcriptions":
            return as_json({"text": f"{len(asked.body)} bytes"})
        return self._answer_json(asked)

    def _answer_json(self, asked: Asked) -> Answer:
        said = asked.json
        model = said["model"]
        if asked.path == "/v1/chat/completions":
            if said.get("stream"):
                return Answer(200, "text/event-stream", map(_event, self.stream))
            choice = {"index": 0, "message": self.message, "finish_reason": "stop"}
            return as_json({"model": "real-model", "choices": [choice], "usage": USAGE})
        if asked.path == "/v1/embeddings":
            data = [{"index": place, "embedding": [float(len(text))]} for place, text in enumerate(said["input"])]
            usage = {"prompt_tokens": 3, "total_tokens": 3}
            return as_json({"model": model, "data": list(reversed(data)), "usage": usage})
        if asked.path == "/v1/rerank":
            scores = [{"index": place, "relevance_score": 1 / (place + 1)} for place in range(len(said["documents"]))]
            return as_json({"model": model, "results": list(reversed(scores))})
        if asked.path == "/v1/moderations":
            return as_json({"results": [{"flagged": "bad" in said["input"]}]})
        if asked.path == "/v1/audio/speech":
            return Answer(200, "audio/mpeg", self.sound)
        return as_json({"error": {"message": f"there is no {asked.path}"}}, 404)


def _event(item: object) -> bytes | Step:
    return item if isinstance(item, Step | bytes) else f"data: {json.dumps(item)}\n\n".encode()
