"""Finds the wire among its file descriptors and speaks on it itself: `way` says what."""

import os
import socket
import stat
import sys
from collections.abc import Callable, Mapping
from typing import Any

from dify_plugin import Endpoint
from werkzeug import Request
from werkzeug import Response as Answer

from endpointd_wire.frames import MAX_FRAME, MAX_PIECE, encode
from endpointd_wire.messages import Closed, Credit, Data, Failed, Headers, Hello, Message, Ping, Ready, Response

FUTURE = 1_000_000
HEAD: Headers = ((b"x-forged", b"yes"),)


def find_wire() -> int:
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        try:
            if fd > 2 and stat.S_ISSOCK(os.fstat(fd).st_mode):
                return fd
        except OSError:
            continue
    raise LookupError("no socket among the descriptors")


def own_stream() -> int:
    """The id of the stream that runs on this thread."""
    frame = sys._getframe()
    while "stream" not in frame.f_locals:
        assert frame.f_back is not None
        frame = frame.f_back
    return int(frame.f_locals["stream"].id)


def say(*messages: Message) -> None:
    write(b"".join(buffer for message in messages for buffer in encode(message)))


def write(data: bytes) -> None:
    with socket.socket(fileno=os.dup(find_wire())) as wire:
        wire.sendall(data)


def leave_in_a_frame() -> None:
    write((1000).to_bytes(4, "big") + b"half")
    os._exit(0)


WAYS: dict[str, Callable[[], None]] = {
    "garbage": lambda: write(b"\xff" * 1000),
    "text": lambda: write(b"Hello, world! This is not msgpack.\n" * 10),
    "no_array": lambda: write(b"\x00\x00\x00\x01\x07"),
    "oversize": lambda: write((MAX_FRAME + 1).to_bytes(4, "big") + b"x"),
    "unfinished": leave_in_a_frame,
    "begun": lambda: write(MAX_FRAME.to_bytes(4, "big")),
    "a_hosts_word": lambda: say(Ping(1)),
    "second_hello": lambda: say(Hello(1, os.getpid(), "3")),
    "second_ready": lambda: say(Ready(())),
    "future_response": lambda: say(Response(FUTURE, 200, HEAD, 2, b"forged")),
    "future_data": lambda: say(Data(FUTURE, 0, b"forged")),
    "future_closed": lambda: say(Closed(FUTURE)),
    "future_failed": lambda: say(Failed(FUTURE, "forged", "")),
    "future_credit": lambda: say(Credit(FUTURE, 1)),
    "stream_zero": lambda: say(Closed(0)),
    "negative_stream": lambda: say(Closed(-1)),
    "too_much_credit": lambda: say(Credit(own_stream(), 1)),
    "no_credit": lambda: say(Credit(own_stream(), 0)),
    "closed_unanswered": lambda: say(Closed(own_stream())),
    "unknown_end": lambda: say(Response(own_stream(), 200, HEAD, 3, b"")),
    "past_response": lambda: say(*(Response(stream, 200, HEAD, 2, b"forged") for stream in range(1, own_stream()))),
    "past_data": lambda: say(*(Data(stream, 2, b"forged") for stream in range(1, own_stream()))),
    "past_closed": lambda: say(*(Closed(stream) for stream in range(1, own_stream()))),
    "body_before_head": lambda: say(Data(own_stream(), 0, b"forged")),
}


class Speaks(Endpoint):
    def _invoke(self, r: Request, values: Mapping[str, Any], settings: Mapping[str, Any]) -> Answer:  # noqa: ARG002
        if r.args["way"] == "oversized_piece":
            return Answer(self.oversized_piece(), headers={"X-Forged": "no"})
        WAYS[r.args["way"]]()
        return Answer("honest")

    def oversized_piece(self) -> Any:  # noqa: ANN401
        stream = own_stream()
        yield b"x" * MAX_PIECE
        say(Data(stream, 0, b"y" * (MAX_PIECE + 1)))
        yield b"never sent"
