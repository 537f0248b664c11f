"""A worker without a process: its classes are functions of the test, which sees everything that they do."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from werkzeug.wrappers import Request, Response

from endpointd_wire.connection import WIRE_VERSION
from endpointd_wire.messages import Hello, Load, Ready
from endpointd_worker.invoke import Invoker
from endpointd_worker.link import Link
from endpointd_worker.pool import Pool
from endpointd_worker.streams import Stream
from support.host_end import WAIT_SECONDS, HostEnd

Invoke = Callable[[Request], object]
Logged = Callable[[], str]


def plain(_: Request) -> Response:
    """An answer of no interest."""
    return Response("plain")


def answering(value: object) -> Invoke:
    return lambda _: value


class Chunks:
    """An iterable that is no generator, and knows how often it was closed."""

    def __init__(self, *chunks: object, error: BaseException | None = None) -> None:
        self.chunks = chunks
        self.error = error
        self.closed = 0

    def __iter__(self) -> Iterator[object]:
        yield from self.chunks
        if self.error is not None:
            raise self.error

    def close(self) -> None:
        self.closed += 1


def endpoint(function: Invoke) -> type:
    """A class as the loader would find it, whose requests are answered by `function`."""

    class FunctionEndpoint:
        def __init__(self, session: object) -> None:
            self.session = session

        def invoke(self, r: Request, values: object, settings: object) -> Any:  # noqa: ANN401, ARG002
            return function(r)

    return FunctionEndpoint


class ThreadWorker:
    """A real link, pool and invoker on one end of a socket pair; the test holds the other end, as the host."""

    def __init__(self, functions: tuple[Invoke, ...], *, development: bool) -> None:
        ours, self._wire = socket.socketpair()
        self.host = HostEnd(ours)
        self.link = Link(self._wire)
        self.invoker = Invoker([*map(endpoint, functions)], lambda *ids: ids, development=development)
        self.lost: list[Exception] = []
        self._lost = threading.Event()
        self._pooled = False
        self._open()

    def _open(self) -> None:
        self.link.send(Hello(WIRE_VERSION, 1, "3.13.0"))
        self.host.hear(Hello)
        self.host.say(Load("/plugin", [], 32, False))
        assert isinstance(self.link.receive_message(), Load)
        self.link.send(Ready([]))
        self.host.hear(Ready)

    def start(self) -> None:
        self._pooled = True
        Pool(self.link, self.invoker.run, self._lose).start()

    def _lose(self, error: Exception) -> None:
        self.lost.append(error)
        self._lost.set()

    def wait_until_lost(self) -> list[Exception]:
        assert self._lost.wait(WAIT_SECONDS)
        return self.lost

    def receive_stream(self) -> Stream:
        """The one request that the host has sent; only without a pool."""
        (stream,) = self.link.receive()
        return stream

    def close(self) -> None:
        self.host.wire.close()
        if self._pooled:
            self.wait_until_lost()
        self._wire.close()


class StartThreads(Protocol):
    def __call__(self, *functions: Invoke, pool: bool = True, development: bool = False) -> ThreadWorker: ...
