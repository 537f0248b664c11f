"""A host's and a worker's connection, joined in memory: what the one says, the other hears, and both agree."""

from endpointd_wire.connection import WIRE_VERSION, Connection, Role
from endpointd_wire.frames import encode
from endpointd_wire.messages import Call, Drain, End, Hello, Load, Message, Ready, Request
from endpointd_wire.states import Phase

HELLO = Hello(WIRE_VERSION, 4711, "3.13.0")
LOAD = Load("/srv/plugins/duck", (("endpoints/duck.py", "extra.python.source"),), 8, False)
READY = Ready(("endpoints.duck.Duck",))


def a_request(stream: int, end: End = End.BODY, body: bytes = b"") -> Request:
    """A request of no interest but for its stream and its body."""
    client, server = ("203.0.113.7", 40000), ("127.0.0.1", 8080)
    return Request(
        stream, 0, "r-1", "POST", "http", "1.1", "/e/duck", b"/", b"", (), {}, b"\x80", client, server, end, body
    )


def a_call(call: int, end: End = End.BODY, body: bytes = b"", within: int = 0) -> Call:
    """A call of no interest."""
    return Call(call, within, "storage", 0, end, body)


def frame_of(message: Message) -> bytes:
    """The bytes of `message`, whether or not anybody may say it now."""
    return b"".join(encode(message))


class ConnectionPair:
    """Both ends, in the phase `OPEN` after `opened`. Nothing is under way: what is said is heard at once."""

    def __init__(self) -> None:
        self.host = Connection(Role.HOST)
        self.worker = Connection(Role.WORKER)

    @classmethod
    def opened(cls) -> "ConnectionPair":
        pair = cls()
        pair.reach(Phase.OPEN)
        return pair

    def reach(self, phase: Phase) -> None:
        """Say what leads from the beginning to `phase`."""
        if phase is Phase.NEW:
            return
        self.worker_says(HELLO)
        if phase is Phase.GREETED:
            return
        self.host_says(LOAD)
        if phase is Phase.LOADING:
            return
        self.worker_says(READY)
        if phase in (Phase.DRAINING, Phase.ENDED):
            self.host_says(Drain())

    def host_says(self, *messages: Message) -> list[Message]:
        """What the worker hears of `messages`."""
        return self._say(self.host, self.worker, messages)

    def worker_says(self, *messages: Message) -> list[Message]:
        """What the host hears of `messages`."""
        return self._say(self.worker, self.host, messages)

    def _say(self, speaker: Connection, listener: Connection, messages: tuple[Message, ...]) -> list[Message]:
        data = b"".join(buffer for message in messages for buffer in speaker.send(message))
        heard = listener.receive(data)
        self.check()
        return heard

    def check(self) -> None:
        """Both ends tell the same about the conversation."""
        assert self.host.phase is self.worker.phase
        assert self.host.open_streams == self.worker.open_streams
        assert self.host.next_stream() == self.worker.next_stream()
        assert self.host.calls.next() == self.worker.calls.next()
        for call in range(1, self.host.calls.next()):
            assert (call in self.host.calls) == (call in self.worker.calls)
        for stream in range(1, self.host.next_stream()):
            assert self.host.is_open(stream) == self.worker.is_open(stream)
