"""Which requests are offered to the direct path, and when: a connection by itself, with a path that takes none."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
import uvloop
from uvicorn.server import ServerState

from endpointd.gateway.client import UNREAD, Client
from endpointd.gateway.clocks import Clocks
from endpointd.gateway.direct import DirectPath
from endpointd.gateway.http import ClientProtocol
from endpointd.gateway.limits import HttpLimits
from endpointd.gateway.mounted_request import MountedRequest

Send = Callable[[dict[str, Any]], Awaitable[None]]
Story = Callable[[socket.socket, "Offers"], Coroutine[Any, Any, None]]

GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n%b\r\n"


class Offers:
    """What was offered: the path, and the body."""

    def __init__(self, *, takes: bool = False) -> None:
        self._takes = takes
        self.seen: list[tuple[str, bytes]] = []
        self.clients: list[Client] = []
        self.arrivals: asyncio.Queue[int] = asyncio.Queue()
        """Of each packet the size, when the connection has read it."""

    def __call__(self, scope: dict[str, Any], client: Client, _start: object) -> bool:
        body = client.whole_body()
        if body is None:
            return False
        self.seen.append((scope["path"], body))
        self.clients.append(client)
        if self._takes:
            client.body_taken()
        return self._takes


class Telling(ClientProtocol):
    """Tells when it has read something."""

    def __init__(self, offers: Offers, config: uvicorn.Config, clocks: Clocks) -> None:
        limits = HttpLimits(1000, 1000, 10, 0, clock_client_idle=0, clock_keep_alive=0, clock_drain=0)
        super().__init__(limits, clocks, offers, config=config, server_state=ServerState(), app_state={})
        self._arrivals = offers.arrivals

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._arrivals.put_nowait(len(data))


async def echo(scope: dict[str, Any], _receive: object, send: Send) -> None:
    """Answers a request when all of it is there."""
    client: Client = scope["endpointd.client"]
    while (heard := await client.receive()) and heard[1]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def with_client(story: Story) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        config = uvicorn.Config(echo, lifespan="off", ws="none", log_config=None)
        config.load()
        clocks, offers = Clocks(), Offers()
        server = await loop.create_server(lambda: Telling(offers, config, clocks), "127.0.0.1", 0)
        try:
            with socket.socket() as client:
                client.setblocking(False)
                await loop.sock_connect(client, server.sockets[0].getsockname())
                await asyncio.wait_for(story(client, offers), 20)
        finally:
            clocks.stop()
            server.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def answers(client: socket.socket, count: int) -> None:
    """Read so many."""
    loop, received = asyncio.get_running_loop(), b""
    while received.count(b"HTTP/1.1 200 OK") < count or not received.endswith(b"\r\n\r\n"):
        piece = await loop.sock_recv(client, 65536)
        assert piece, received
        received += piece


async def exchange(client: socket.socket, offers: Offers, *pieces: bytes, count: int = 1) -> None:
    """Send each piece in a packet of its own, which is read before the next one is sent; read so many answers."""
    for piece in pieces:
        await asyncio.get_running_loop().sock_sendall(client, piece)
        missing = len(piece)
        while missing:
            missing -= await offers.arrivals.get()
    await answers(client, count)


@pytest.mark.parametrize(
    ("pieces", "offered"),
    [
        ([GET % 1], [("/1", b"")]),
        ([POST % b"" + b"abc"], [("/", b"abc")]),
        ([POST % b"" + b"a", b"bc"], []),
        ([POST % b"", b"abc"], []),
        ([POST % b"Expect: 100-continue\r\n" + b"abc"], []),
        ([(GET % 1)[:-2], b"\r\n"], [("/1", b"")]),
    ],
)
def test_those_that_are_here_with_their_bodies(pieces: list[bytes], offered: list[tuple[str, bytes]]) -> None:
    async def story(client: socket.socket, offers: Offers) -> None:
        await exchange(client, offers, *pieces)
        assert offers.seen == offered

    with_client(story)


def test_those_that_were_sent_ahead_when_their_turn_comes() -> None:
    async def story(client: socket.socket, offers: Offers) -> None:
        ahead = [GET % 1, POST % b"" + b"abc", GET % 2]
        await exchange(client, offers, b"".join(ahead), count=3)
        assert offers.seen == [("/1", b""), ("/", b"abc"), ("/2", b"")]

    with_client(story)


def test_not_those_of_a_client_that_has_broken_off() -> None:
    """What follows the request is none: it is answered, and then the connection ends."""

    async def story(client: socket.socket, offers: Offers) -> None:
        await exchange(client, offers, GET % 1 + b"NONSENSE\r\n\r\n")
        assert offers.seen == [("/1", b"")]
        assert await asyncio.get_running_loop().sock_recv(client, 1) == b""

    with_client(story)


def test_a_defect_ends_one_request_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    """It happens in the callback of the wire to a worker, which is shared by all of the worker's requests."""
    request, exchange, relay, gateway = Mock(spec=MountedRequest), Mock(), Mock(), Mock()
    gateway.read.return_value = request
    gateway.open.return_value = exchange, relay
    request.mount.limits.body = 0
    request.client.whole_body.return_value = b""
    relay.answer_at_once.side_effect = RuntimeError("a defect")
    start = Mock()
    assert DirectPath(gateway).begin({}, request.client, start)
    (heard,) = exchange.listen.call_args.args
    heard()
    request.client.abort.assert_called_once_with()
    gateway.end.assert_called_once_with(request, exchange, relay)
    assert not start.called
    assert "gateway.defect" in capsys.readouterr().out


class Transport(asyncio.Transport):
    """Knows whether anybody reads."""

    is_read = True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True


@pytest.mark.parametrize("takes", [True, False])
def test_a_large_body_that_is_taken_is_not_kept_and_stops_no_reading(*, takes: bool) -> None:
    """Without reading nobody would hear that the client leaves. On the general path the application reads on."""

    async def main() -> None:
        config = uvicorn.Config(echo, lifespan="off", ws="none", log_config=None)
        config.load()
        clocks, offers, transport = Clocks(), Offers(takes=takes), Transport()
        limits = HttpLimits(1000, 1000, 10, 0, clock_client_idle=0, clock_keep_alive=0, clock_drain=0)
        protocol = ClientProtocol(limits, clocks, offers, config=config, server_state=ServerState(), app_state={})
        protocol.connection_made(transport)
        body = bytes(UNREAD + 1)
        protocol.data_received(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        clocks.stop()
        assert offers.seen == [("/", body)]
        assert transport.is_read == takes
        (client,) = offers.clients
        assert client.whole_body() == (b"" if takes else body)
        for task in protocol.tasks:
            task.cancel()

    asyncio.run(main())
