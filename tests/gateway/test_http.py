"""A client's connection by itself: what becomes of a client that does not take the end of an answer, or has no end of
its own."""

import asyncio
import select
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from endpointd.gateway import http
from endpointd.gateway.answers import answer
from endpointd.gateway.client import Client
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.heads import ResponseHead
from endpointd.gateway.http import ClientProtocol
from endpointd.gateway.limits import HttpLimits

LIMIT = 0.4
"""Seconds after which a client that takes nothing is given up."""

SIZE = 32 * 1024 * 1024
"""More than two systems hold between them."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


async def large(_scope: dict[str, Any], _receive: object, send: Send) -> None:
    """Is done with its answer long before the client has it."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % SIZE)]})
    await send({"type": "http.response.body", "body": bytes(SIZE), "more_body": False})


async def early(scope: dict[str, Any], _receive: object, _send: object) -> None:
    """Answers without a look at the request's body."""
    client: Client = scope["endpointd.client"]
    client.begin(200, ResponseHead([], 0, has_body=True, has_date=False, lines=b"content-length: 0\r\n"))
    client.settle()


async def large_at_first(scope: dict[str, Any], receive: object, send: Send) -> None:
    """Refuses all but the first request."""
    if scope["raw_path"] == b"/":
        await large(scope, receive, send)
    else:
        await answer(scope["endpointd.client"], 404, [(b"content-length", b"0")], b"")


def with_client(
    story: Callable[[socket.socket], Coroutine[Any, Any, None]],
    app: Callable[..., Coroutine[Any, Any, None]] = large,
    request: bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
) -> None:
    """Run `story` with a connection on which `request` was sent to a server of `app`, and whose connections it must
    end."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(app, lifespan="off", ws="none", log_config=None)
        config.load()
        state, clocks = ServerState(), Clocks()
        limits = HttpLimits(1000, 1000, 10, 0, clock_client_idle=LIMIT, clock_keep_alive=0, clock_drain=0)
        server = await loop.create_server(
            lambda: ClientProtocol(limits, clocks, config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        try:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                client.setblocking(False)
                await loop.sock_connect(client, server.sockets[0].getsockname())
                await loop.sock_sendall(client, request)
                await asyncio.wait_for(story(client), 20)
        finally:
            clocks.stop()
            server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def take_all(client: socket.socket, size: int = SIZE) -> int:
    """Read `size` bytes, or all that come before the connection ends; how many there were."""
    loop, taken = asyncio.get_running_loop(), 0
    while taken < size and (data := await loop.sock_recv(client, 1 << 20)):
        taken += len(data)
    return taken


async def send_for_ever(client: socket.socket) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(client, b"1\r\n.\r\n")
        await asyncio.sleep(LIMIT / 10)


def until_reset(client: socket.socket) -> None:
    """Wait, in a thread, until the other side has broken the connection off. Takes nothing of what came before."""
    waiting = select.poll()
    waiting.register(client, 0)
    assert waiting.poll(10_000), "the connection is still there"


def test_a_client_that_leaves_the_end_of_an_answer_is_cut_off() -> None:
    async def story(client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        assert await loop.sock_recv(client, 100)
        await loop.run_in_executor(None, until_reset, client)
        with pytest.raises(ConnectionResetError):
            await take_all(client)

    with_client(story)


def test_a_client_that_leaves_it_is_cut_off_though_the_host_has_more_to_say() -> None:
    async def story(client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(client, b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
        await loop.run_in_executor(None, until_reset, client)

    with_client(story, large_at_first)


def test_a_client_that_takes_the_end_of_an_answer_slowly_is_waited_for() -> None:
    async def story(client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        head = await loop.sock_recv(client, 4096)
        taken = len(head) - head.index(b"\r\n\r\n") - 4
        for _ in range(12):
            await asyncio.sleep(LIMIT / 4)
            # A good part of what the systems hold, so that the one moves on what the other has room for.
            for _ in range(16):
                taken += len(await loop.sock_recv(client, 1 << 16))
        assert taken + await take_all(client, SIZE - taken) == SIZE

    with_client(story)


@pytest.mark.parametrize("header", [b"", b"Connection: close\r\n"])
def test_a_client_that_sends_for_ever_after_its_answer_is_closed(
    monkeypatch: pytest.MonkeyPatch, header: bytes
) -> None:
    monkeypatch.setattr(http, "LINGER", LIMIT)

    async def story(client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        assert (await loop.sock_recv(client, 4096)).startswith(b"HTTP/1.1 200 OK\r\n")
        with pytest.raises(ConnectionError):
            await send_for_ever(client)

    chunked = b"POST / HTTP/1.1\r\nHost: a\r\n%bTransfer-Encoding: chunked\r\n\r\n"
    with_client(story, early, chunked % header)
