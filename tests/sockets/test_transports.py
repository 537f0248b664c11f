"""What is written at once is not needed any more, however much of it the other side has room for."""

import asyncio
import socket
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from endpointd.sockets.transports import write_at_once
from support.host_end import WAIT_SECONDS

Client = Callable[[asyncio.Transport, socket.socket], Awaitable[None]]

LOOPS = [asyncio.new_event_loop, uvloop.new_event_loop]


@pytest.fixture(params=LOOPS, ids=["asyncio", "uvloop"])
def connected(request: pytest.FixtureRequest) -> Callable[[Client], None]:
    """Calls with a transport and the socket at its other end."""

    def call(story: Client) -> None:
        async def main() -> None:
            ours, theirs = socket.socketpair()
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            theirs.setblocking(False)
            with theirs:
                transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
                await story(transport, theirs)
                transport.abort()
                await asyncio.sleep(0)

        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(main())

    return call


class Losing(asyncio.Protocol):
    def __init__(self, lost: asyncio.Event) -> None:
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._lost.set()


async def received(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += await asyncio.get_running_loop().sock_recv(end, 65536)
    return data


@pytest.mark.parametrize("size", [10, 100_000, 1_000_000])
def test_it_arrives_whole_though_its_place_is_used_again(connected: Callable[[Client], None], size: int) -> None:
    async def story(transport: asyncio.Transport, theirs: socket.socket) -> None:
        place = bytearray(b"x" * size)
        for fill in (b"x", b"y", b"z"):
            place[:] = fill * size
            write_at_once(transport, [b"<", memoryview(place), b">"])
            place[:] = b"-" * size
        expected = b"".join(b"<" + fill * size + b">" for fill in (b"x", b"y", b"z"))
        assert await received(theirs, len(expected)) == expected

    connected(story)


def test_it_does_not_overtake_what_was_written_before(connected: Callable[[Client], None]) -> None:
    async def story(transport: asyncio.Transport, theirs: socket.socket) -> None:
        before = b"b" * 500_000
        transport.write(before)
        write_at_once(transport, [memoryview(b"after")])
        assert await received(theirs, len(before) + 5) == before + b"after"

    connected(story)


def test_one_who_has_gone_is_the_transports_business(connected: Callable[[Client], None]) -> None:
    async def story(transport: asyncio.Transport, theirs: socket.socket) -> None:
        lost = asyncio.Event()
        transport.set_protocol(Losing(lost))
        theirs.close()
        write_at_once(transport, [memoryview(b"x" * 100)])
        async with asyncio.timeout(WAIT_SECONDS):
            await lost.wait()

    connected(story)
