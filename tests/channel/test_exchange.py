"""Pieces of an answer that are taken in the moment in which they come, and those that have to wait."""

import asyncio
from collections.abc import Awaitable, Callable
from unittest.mock import Mock

from endpointd.channel.exchange import Exchange, Settler, Taker
from endpointd_wire.connection import Connection, Role
from endpointd_wire.messages import Closed, Data, End, Response

STREAM = 7


class Wire:
    """Stands for the channel."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.fed: list[Settler] = []
        self.connection = Connection(Role.HOST)
        self.is_open = True
        self.send = Mock()
        self.cancel = Mock()

    def feed(self, settler: Settler) -> None:
        self.fed.append(settler)


class Takes:
    """Takes as many pieces as it has room for."""

    def __init__(self, room: int = 100) -> None:
        self.room = room
        self.taken: list[bytes] = []

    def take(self, body: bytes | memoryview) -> bool:
        if len(self.taken) >= self.room:
            return False
        self.taken.append(bytes(body))
        return True

    def settle(self) -> None:
        raise AssertionError("only the channel knows when")


def piece(body: bytes, end: End = End.MORE) -> Data:
    return Data(STREAM, end, body)


def told(story: Callable[[Exchange, Wire], Awaitable[None]]) -> None:
    async def main() -> None:
        wire = Wire(asyncio.get_running_loop())
        await story(Exchange(wire, STREAM), wire)

    asyncio.run(main())


async def waiting(exchange: Exchange, taker: Taker) -> "asyncio.Task[object]":
    """Somebody who waits for the next message, and is ready for pieces meanwhile."""
    task: asyncio.Task[object] = asyncio.create_task(exchange.next(taker))
    await asyncio.sleep(0)
    return task


def test_pieces_are_taken_while_they_are_waited_for() -> None:
    async def story(exchange: Exchange, wire: Wire) -> None:
        taker = Takes()
        waits = await waiting(exchange, taker)
        exchange.deliver(piece(b"one"))
        exchange.deliver(piece(b"two"))
        await asyncio.sleep(0)
        assert not waits.done()
        assert taker.taken == [b"one", b"two"]
        assert wire.fed == [taker, taker]
        exchange.deliver(piece(b"last", End.STREAM))
        assert await waits == piece(b"last", End.STREAM)
        assert taker.taken == [b"one", b"two"]

    told(story)


def test_nothing_overtakes_a_piece_that_has_to_wait() -> None:
    async def story(exchange: Exchange, _: Wire) -> None:
        taker = Takes(room=1)
        waits = await waiting(exchange, taker)
        for body in (b"one", b"two", b"three"):
            exchange.deliver(piece(body))
            taker.room = 100 if body == b"two" else taker.room
        assert taker.taken == [b"one"]
        assert [await waits, await exchange.next(taker)] == [piece(b"two"), piece(b"three")]
        assert taker.taken == [b"one"]

    told(story)


def test_nobody_takes_what_is_not_waited_for() -> None:
    async def story(exchange: Exchange, _: Wire) -> None:
        taker = Takes()
        waits = await waiting(exchange, taker)
        exchange.deliver(Closed(STREAM))
        assert await waits == Closed(STREAM)
        exchange.deliver(piece(b"late"))
        assert not taker.taken

    told(story)


def test_nobody_takes_a_piece_of_an_answer_that_is_not_wanted() -> None:
    async def story(exchange: Exchange, _: Wire) -> None:
        taker = Takes()
        waits = await waiting(exchange, taker)
        exchange.cancel("a test")
        exchange.deliver(piece(b"late"))
        assert not exchange.offer(memoryview(b"late"))
        assert not taker.taken
        exchange.deliver(Closed(STREAM))
        assert await waits == Closed(STREAM)

    told(story)


def test_a_head_is_not_taken() -> None:
    async def story(exchange: Exchange, _: Wire) -> None:
        head = Response(STREAM, 200, (), End.MORE, b"first")
        waits = await waiting(exchange, Takes())
        exchange.deliver(head)
        assert await waits == head

    told(story)
