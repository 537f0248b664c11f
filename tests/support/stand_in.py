"""A server that stands in for a backend: a real one, on a port of its own, that answers as a test says.

What it was asked is kept; a client that leaves before the end of its answer is noticed at once.
"""

import asyncio
import json
import queue
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

import uvicorn

WAIT_SECONDS = 10


class Step(Enum):
    """Besides bytes, what an answer may consist of."""

    WAIT = "until the test says `go`"
    BREAK = "the connection ends here, in the middle"
    STAY = "for ever, until the client leaves"


@dataclass
class Asked:
    """A request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401
        return json.loads(self.body)


@dataclass
class Answer:
    status: int = 200
    content_type: str = "application/json"
    steps: Iterable[bytes | Step] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


def as_json(value: object, status: int = 200) -> Answer:
    return Answer(status, steps=[json.dumps(value).encode()])


class StandIn:
    """`answer` may be exchanged at any time."""

    answer: Callable[[Asked], Answer]

    def __init__(self) -> None:
        self.url = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self.reset()

    def reset(self) -> None:
        """Be as new, for the next test."""
        self.asked: list[Asked] = []
        self.most_at_once = 0
        self._at_once = 0
        self._news = threading.Condition()
        self._left: queue.Queue[str] = queue.Queue()
        self._may_go = asyncio.Semaphore(0)

    def go(self, times: int = 1) -> None:
        """Let that many answers that wait go on."""
        assert self._loop is not None
        for _ in range(times):
            self._loop.call_soon_threadsafe(self._may_go.release)

    def wait_for(self, count: int) -> None:
        """Wait until it has been asked that often."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.asked) >= count, WAIT_SECONDS)

    def left(self) -> str:
        """The path of the next answer whose client has left before its end. Waits for it."""
        return self._left.get(timeout=WAIT_SECONDS)

    def last(self, path: str) -> Asked:
        return next(one for one in reversed(self.asked) if one.path == path)

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        if scope["type"] != "http":
            return
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        asked = Asked(scope["method"], scope["path"], headers, body)
        # Before anybody hears of it: who waits for so many may let them go at once.
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        with self._news:
            self.asked.append(asked)
            self._news.notify_all()
        answering = asyncio.create_task(self._answer(asked, send))
        leaving = asyncio.create_task(receive())
        try:
            await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                answering.cancel()
                self._left.put(asked.path)
                return
            answering.result()
        finally:
            self._at_once -= 1
            leaving.cancel()

    async def _answer(self, asked: Asked, send: Any) -> None:  # noqa: ANN401 - ASGI
        answer = self.answer(asked)
        headers = {"content-type": answer.content_type, **answer.headers}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        for step in answer.steps:
            if isinstance(step, bytes):
                await send({"type": "http.response.body", "body": step, "more_body": True})
            elif step is Step.WAIT:
                await self._may_go.acquire()
            elif step is Step.STAY:
                await asyncio.Event().wait()
            else:
                raise ConnectionError("the test wants it")
        await send({"type": "http.response.body", "body": b""})

    async def serve(
        self, listener: socket.socket, ready: Callable[[uvicorn.Server], None], certificate: Path | None = None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        config = uvicorn.Config(self, log_config=None, log_level="critical", lifespan="off", ws="none")
        config.timeout_graceful_shutdown = 1
        config.ssl_certfile = certificate
        server = uvicorn.Server(config)
        ready(server)
        await server.serve(sockets=[listener])


@contextmanager
def standing_in(stand_in: StandIn, certificate: Path | None = None) -> Iterator[None]:
    """Serve it, in a thread of its own; with TLS when there is a file with a certificate and its key."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        scheme = "http" if certificate is None else "https"
        stand_in.url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        servers: queue.Queue[uvicorn.Server] = queue.Queue()
        thread = threading.Thread(target=lambda: asyncio.run(stand_in.serve(listener, servers.put, certificate)))
        thread.start()
        server = servers.get(timeout=WAIT_SECONDS)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(WAIT_SECONDS)
