"""A stand-in for Dify: its inner API with the framing of its streams, and the public one with its events."""

import json
import struct
from collections.abc import Callable, Iterable
from typing import Any

from support.stand_in import Answer, Asked, StandIn, Step, as_json

INNER_KEY = "inner-key-7f3a"
TENANT = "tenant-1"
CHAT_KEY, FLOW_KEY, WRITE_KEY = "app-chat-11aa", "app-flow-22bb", "app-write-33cc"
FILE = {"id": "file-1", "name": "a.png", "size": 3, "extension": "png", "mime_type": "image/png"}

Items = Iterable[object]


def chunk(payload: bytes) -> bytes:
    """Magic, reserved, size of the head that follows; size of the payload, six reserved; the payload."""
    return struct.pack("<BBH", 0x0F, 0, 10) + struct.pack("<I6x", len(payload)) + payload


def enveloped(item: object) -> bytes:
    return chunk(json.dumps({"data": item, "error": ""}).encode())


def chunks(items: Items) -> Iterable[bytes | Step]:
    return (item if isinstance(item, Step | bytes) else enveloped(item) for item in items)


def llm_chunk(text: str, index: int = 0) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": text, "name": None, "tool_calls": []}
    delta = {"index": index, "message": message, "usage": None, "finish_reason": None}
    return {"model": "m", "prompt_messages": [], "system_fingerprint": None, "delta": delta}


STREAMED: dict[str, Items] = {
    "invoke/app": [{"event": "message", "answer": "Hel"}, {"event": "message", "answer": "lo"}],
    "invoke/llm": [llm_chunk("Hel"), llm_chunk("lo", 1)],
    "invoke/llm/structured-output": [{**llm_chunk(""), "structured_output": {"a": 1}}],
    "invoke/tts": [{"result": b"\x00\xff".hex()}, {"result": b"sound".hex()}],
    "invoke/tool": [{"type": "text", "message": {"text": "tooled"}, "meta": None}],
}
NODE = {"process_data": {}, "inputs": {}, "outputs": {"class_name": "c"}}
SINGLE: dict[str, object] = {
    "fetch/app/info": {"data": {"opening_statement": "Hi", "user_input_form": []}},
    "invoke/text-embedding": {"model": "e", "embeddings": [[0.5, 1.0]], "usage": None},
    "invoke/multimodal-embedding": {"model": "e", "embeddings": [[2.0]], "usage": None},
    "invoke/rerank": {"model": "r", "docs": [{"index": 0, "text": "t", "score": 0.5}]},
    "invoke/multimodal-rerank": {"model": "r", "docs": []},
    "invoke/speech2text": {"result": "spoken"},
    "invoke/moderation": {"result": True},
    "invoke/parameter-extractor": NODE,
    "invoke/question-classifier": NODE,
    "invoke/summary": {"summary": "short"},
}


class DifyInnerStandIn(StandIn):
    """`streams` are what is said in chunks, by the path below `/inner/api/`; bytes are sent as they are."""

    def reset(self) -> None:
        super().reset()
        self.answer = self._answer_inner
        self.streams: dict[str, Items] = dict(STREAMED)
        self.single: dict[str, object] = dict(SINGLE)

    def _answer_inner(self, asked: Asked) -> Answer:
        if asked.path == "/files/upload/for-plugin":
            return as_json(FILE, 201)
        if asked.headers.get("x-inner-api-key") != INNER_KEY:
            return Answer(404, "text/html", [b"not found"])
        place = asked.path.removeprefix("/inner/api/")
        if place in self.streams:
            return Answer(200, "text/event-stream", chunks(self.streams[place]))
        if place == "upload/file/request":
            return as_json({"data": {"url": f"{self.url}/files/upload/for-plugin?sign=s3cret"}, "error": ""})
        return as_json({"data": self.single[place], "error": ""})


def event(value: object) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


def events(items: Items) -> Iterable[bytes | Step]:
    return (item if isinstance(item, Step | bytes) else event(item) for item in items)


TASK = {"task_id": "task-1"}
CHAT: Items = [
    b"event: ping\n\n",
    {"event": "message", "answer": "Hel", "conversation_id": "c-1", **TASK},
    {"event": "message", "answer": "lo", "conversation_id": "c-1", **TASK},
    {"event": "message_end", "conversation_id": "c-1", **TASK},
]
FLOW: Items = [
    {"event": "workflow_started", **TASK, "data": {}},
    {"event": "workflow_finished", **TASK, "data": {"outputs": {"text": "done"}}},
]


class DifyApiStandIn(StandIn):
    """`streams` are events by path; bytes are sent as they are."""

    def reset(self) -> None:
        super().reset()
        self.answer = self._answer_public
        self.streams: dict[str, Items] = {
            "/v1/chat-messages": CHAT,
            "/v1/workflows/run": FLOW,
            "/v1/completion-messages": CHAT,
        }
        self.modes = {CHAT_KEY: "advanced-chat", FLOW_KEY: "workflow", WRITE_KEY: "completion"}
        self.other: dict[str, Callable[[Asked], Answer]] = {
            "/v1/parameters": lambda _: as_json({"opening_statement": "Hi"}),
            "/v1/info": lambda asked: as_json({"name": "an app", "mode": self.modes[_key(asked)]}),
            "/v1/files/upload": lambda _: as_json(FILE, 201),
        }

    def _answer_public(self, asked: Asked) -> Answer:
        if _key(asked) not in self.modes:
            return as_json({"code": "unauthorized", "message": f"bad key {_key(asked)}"}, 401)
        if asked.path in self.other:
            return self.other[asked.path](asked)
        if asked.path.endswith("/stop"):
            return as_json({"result": "success"})
        if asked.json["response_mode"] == "streaming":
            return Answer(200, "text/event-stream; charset=utf-8", events(self.streams[asked.path]))
        return as_json({"event": "message", "answer": f"at once: {asked.json['inputs']}"})


def _key(asked: Asked) -> str:
    return asked.headers.get("authorization", "").removeprefix("Bearer ")
