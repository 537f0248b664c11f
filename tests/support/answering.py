"""Answers the calls of a plugin in the place of a daemon: for the SDK's own runtime, and for a worker of ours."""

from collections.abc import Iterator
from typing import Any

from endpointd_wire.frames import pack_value, unpack_value
from endpointd_wire.messages import (
    Abandon,
    Answered,
    Call,
    Closed,
    Credit,
    Data,
    End,
    Failed,
    Message,
    Refused,
    Reply,
    Response,
)
from support.host_end import Answer, HostEnd


class Friend:
    """What a daemon knows: values by keys, and an app that answers in pieces, or falls over."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        """Hexadecimal, as the SDK's protocol has them."""
        self.asked: list[dict[str, Any]] = []

    def answer(self, kind: str, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The items of a reply, as the SDK has them. Raises what the plugin is to be told."""
        if kind == "storage":
            yield self._storage(request)
        elif kind == "app":
            yield from self._app(request)
        else:
            raise RuntimeError(f"nobody answers {kind}")

    def _storage(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["opt"] == "set":
            self.values[request["key"]] = request["value"]
            return {"data": "ok"}
        if request["opt"] == "get" and request["key"] in self.values:
            return {"data": self.values[request["key"]]}
        raise RuntimeError(f"nothing is stored under {request['key']}")

    def _app(self, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
        self.asked.append(request)
        words = f"Quack, {request['query']}!".split(" ")
        if request["response_mode"] == "blocking":
            yield {"event": "message", "answer": " ".join(words), "conversation_id": "c-1"}
            return
        for word in words:
            yield {"event": "message", "answer": word}
        if "fall" in request["query"]:
            raise RuntimeError("the app fell over")
        yield {"event": "message_end"}


def take_answer(host: HostEnd, stream: int, friend: Friend) -> Answer:
    """The whole answer to a request, with `friend` answering the calls that it makes."""
    answer = Answer()
    while answer.last is None:
        message = host.hear_any()
        if isinstance(message, Call):
            host.say(*_replies(message, friend))
            continue
        assert isinstance(message, Response | Data | Closed | Failed | Abandon), message
        if isinstance(message, Response):
            answer.status, answer.headers = message.status, message.headers
        if isinstance(message, Response | Data) and message.body:
            answer.pieces.append(message.body)
            if message.end != End.STREAM:
                host.say(Credit(stream, len(message.body)))
        if isinstance(message, Closed | Failed) or getattr(message, "end", None) == End.STREAM:
            answer.last = message
    return answer


def _replies(call: Call, friend: Friend) -> Iterator[Message]:
    request = unpack_value(call.body[: call.head])
    if request.pop("size", None) is not None:
        request["value"] = call.body[call.head :].hex()
    try:
        for item in friend.answer(call.kind, request):
            if call.kind != "storage":
                yield Reply(call.call, End.BODY, pack_value(item))
            elif request["opt"] == "get":
                yield Reply(call.call, End.BODY, pack_value(bytes.fromhex(item["data"])))
    except RuntimeError as error:
        yield Refused(call.call, "failed", str(error))
    else:
        yield Answered(call.call)
