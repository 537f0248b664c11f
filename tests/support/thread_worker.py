"""A worker without a process: its classes are functions of the test, which sees everything that they do."""

import asyncio
import inspect
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from copy import copy
from enum import Enum
from typing import Any, Protocol

from werkzeug.wrappers import Request, Response

from endpointd_wire.connection import WIRE_VERSION
from endpointd_wire.messages import Hello, Load, Ready
from endpointd_worker.invoke import Invoker
from endpointd_worker.link import Link
from endpointd_worker.pool import Pool
from endpointd_worker.streams import Stream
from endpointd_worker.tasks.runner import TaskRunner
from support.host_end import WAIT_SECONDS, HostEnd

Invoke = Callable[[Request], object]
AsyncInvoke = Callable[[Request], Coroutine[Any, Any, Response]]
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


class AsyncChunks:
    """The same as an async iterable that is no generator."""

    def __init__(self, chunks: Iterable[object]) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[object]:
        for chunk in self._chunks:
            yield chunk

    def close(self) -> None:
        if hasattr(self._chunks, "close"):
            self._chunks.close()


class Kind(Enum):
    """How a function of the test's answers."""

    THREAD = "thread"
    TASK = "task"
    """As a coroutine function."""
    ASYNC_BODY = "async body"
    """As one whose body is an async iterable, unless it is a list."""


def endpoint(function: Invoke, kind: Kind) -> type:
    """A class as the loader would find it, whose requests are answered by `function`."""

    class FunctionEndpoint:
        def __init__(self, session: object) -> None:
            self.session = session

        def invoke(self, r: Request, values: object, settings: object) -> Any:  # noqa: ANN401, ARG002
            return function(r)

    class TaskEndpoint(FunctionEndpoint):
        async def invoke(self, r: Request, values: object, settings: object) -> Any:  # noqa: ANN401, ARG002
            await asyncio.sleep(0)
            answer: Any = function(r)
            if inspect.iscoroutine(answer) and inspect.iscoroutinefunction(function):
                answer = await answer
            if kind is Kind.ASYNC_BODY and isinstance(answer, Response) and not isinstance(answer.response, list):
                answer = copy(answer)
                answer.response = AsyncChunks(answer.response)
            return answer

    return FunctionEndpoint if kind is Kind.THREAD else TaskEndpoint


class ThreadWorker:
    """A real link, pool and invoker on one end of a socket pair; the test holds the other end, as the host. `run`
    answers one stream, as a thread of the pool has it done."""

    def __init__(self, functions: tuple[Invoke, ...], *, development: bool, kind: Kind = Kind.THREAD) -> None:
        ours, self._wire = socket.socketpair()
        self.host = HostEnd(ours)
        self.link = Link(self._wire)
        classes = [endpoint(function, kind) for function in functions]
        self.invoker = Invoker(classes, lambda *ids: ids, development=development)
        self._tasks = TaskRunner(self.link, self.invoker, 4, self._lose) if kind is not Kind.THREAD else None
        self.run = self._tasks.run if self._tasks else self.invoker.run
        self.lost: list[Exception] = []
        self._lost = threading.Event()
        self._pooled = False
        self._open()

    def _open(self) -> None:
        self.link.send(Hello(WIRE_VERSION, 1, "3.13.0"))
        self.host.hear(Hello)
        self.host.say(Load("/plugin", (), 32, False))
        assert isinstance(self.link.receive_message(), Load)
        self.link.send(Ready(()))
        self.host.hear(Ready)

    def start(self) -> None:
        self._pooled = True
        Pool(self.link, self.run, self._lose).start()

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
        if self._tasks is not None:
            self._tasks.stop()
        self._wire.close()


class StartThreads(Protocol):
    def __call__(self, *functions: Invoke, pool: bool = True, development: bool = False) -> ThreadWorker: ...
