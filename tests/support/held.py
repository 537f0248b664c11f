"""Requests of which some wait, and all their answers."""

import threading

from werkzeug.wrappers import Request, Response

from endpointd_wire.messages import Closed, Credit, Data, End
from endpointd_wire.messages import Response as ResponseMessage
from support.host_end import WAIT_SECONDS, HostEnd

SLOW_SOURCE, FAST_SOURCE = 0, 1


class Held:
    """An endpoint that has begun when `begun` is released, and goes on when `gate` is set."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()

    def __call__(self, _: Request) -> Response:
        self.begun.release()
        assert self.gate.wait(WAIT_SECONDS)
        return Response("held")

    def wait_for(self, count: int) -> None:
        for _ in range(count):
            assert self.begun.acquire(timeout=WAIT_SECONDS)


def collect(host: HostEnd, streams: set[int]) -> dict[int, bytes]:
    """The bodies of the answers to `streams`, which may come in any order."""
    bodies = dict.fromkeys(streams, b"")
    while streams:
        message = host.hear_any()
        assert isinstance(message, ResponseMessage | Data | Closed)
        if isinstance(message, Closed) or message.end == End.STREAM:
            streams = streams - {message.stream}
        if not isinstance(message, Closed):
            bodies[message.stream] += message.body
            if message.body and message.end == End.MORE:
                host.say(Credit(message.stream, len(message.body)))
    return bodies
