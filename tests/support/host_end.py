"""The host's end of a wire, for tests that play the host: blocking, one message after the other, nothing on its own."""

import contextlib
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import Any, TypeVar

from endpointd_wire.connection import Connection, Role
from endpointd_wire.frames import pack_value
from endpointd_wire.messages import (
    Closed,
    Credit,
    Data,
    End,
    Failed,
    Headers,
    Log,
    Message,
    Request,
    Response,
)

WAIT_SECONDS = 10.0

MessageT = TypeVar("MessageT")


@dataclass
class Answer:
    """All that came for one request. `last` is the message that ended it."""

    status: int = 0
    headers: Headers = ()
    pieces: list[bytes] = field(default_factory=list)
    last: Message | None = None

    @property
    def body(self) -> bytes:
        return b"".join(self.pieces)


class HostEnd:
    """TimeoutError: the worker says nothing for `WAIT_SECONDS`. EOFError: it has closed the wire."""

    def __init__(self, wire: socket.socket) -> None:
        wire.settimeout(WAIT_SECONDS)
        self.wire = wire
        self.connection = Connection(Role.HOST)
        self.logs: list[Log] = []
        self._heard: deque[Message] = deque()

    def say(self, *messages: Message) -> None:
        """In one system call."""
        self.wire.sendall(b"".join(buffer for message in messages for buffer in self.connection.send(message)))

    def hear(self, kind: type[MessageT]) -> MessageT:
        """The next message, which is to be a `kind`; logs are put aside."""
        message = self.hear_any()
        assert isinstance(message, kind), message
        return message

    def hear_any(self) -> Message:
        while True:
            while not self._heard:
                data = self.wire.recv(1 << 20)
                if not data:
                    raise EOFError
                self._heard += self.connection.receive(data)
            message = self._heard.popleft()
            if not isinstance(message, Log):
                return message
            self.logs.append(message)

    def hear_end(self) -> list[Message]:
        """What is said until the wire is closed."""
        said = []
        with contextlib.suppress(EOFError):
            while True:
                said.append(self.hear_any())
        return said

    def request(self, *, end: End = End.BODY, body: bytes = b"", **fields: Any) -> int:  # noqa: ANN401 - of `Request`
        """Send a request; returns its stream."""
        message = self.make_request(end=end, body=body, **fields)
        self.say(message)
        return message.stream

    def make_request(self, **fields: Any) -> Request:  # noqa: ANN401 - those of `Request`
        """A GET for `/` without a body, but for `fields`. `settings` are given unpacked."""
        defaults: dict[str, Any] = {
            "stream": self.connection.next_stream(),
            "source": 0,
            "request_id": "r-1",
            "method": "GET",
            "scheme": "http",
            "http_version": "1.1",
            "script": "/e/duck",
            "path": b"/",
            "query": b"",
            "headers": ((b"host", b"example.com"),),
            "values": {},
            "client": ("203.0.113.7", 40000),
            "server": ("127.0.0.1", 8080),
            "end": End.BODY,
            "body": b"",
        }
        settings = pack_value(fields.pop("settings", {}))
        return Request(**(defaults | {"settings": settings} | fields))

    def take(self, stream: int) -> Answer:
        """The whole answer to one request, with credit for all of it; nothing else is expected meanwhile."""
        answer = Answer()
        while answer.last is None:
            message = self.hear_any()
            if isinstance(message, Response):
                answer.status, answer.headers = message.status, message.headers
            assert isinstance(message, Response | Data | Closed | Failed), message
            assert message.stream == stream, message
            body = message.body if isinstance(message, Response | Data) else b""
            if body:
                answer.pieces.append(body)
            if isinstance(message, Closed | Failed) or message.end == End.STREAM:
                answer.last = message
            elif body:
                self.say(Credit(stream, len(body)))
        return answer

    def hear_body(self, size: int) -> bytes:
        """The next `size` bytes of the one answer that is made, in however many messages they come."""
        body = b""
        while len(body) < size:
            message = self.hear_any()
            assert isinstance(message, Response | Data), message
            body += message.body
        return body

    def ask(self, **fields: Any) -> Answer:  # noqa: ANN401 - those of `Request`
        return self.take(self.request(**fields))
