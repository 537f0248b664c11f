"""What waits for a client that takes nothing: the worker decides how it is cut, and not how much it costs."""

import asyncio
import gc
import weakref
from collections.abc import Iterable
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.channel.exchange import CROWD, SMALL, Answer, ClientGone, Exchange, ExchangeError
from endpointd_wire.flow import WINDOW
from endpointd_wire.messages import Closed, Data, End, Response

STREAM = 7


def waiting(messages: Iterable[Answer]) -> list[Answer]:
    """What a client finds that comes when all of it is there."""

    async def main() -> list[Answer]:
        exchange = Exchange(Mock(loop=asyncio.get_running_loop()), STREAM)
        for message in messages:
            exchange.deliver(message)
        found: list[Answer] = []
        while not found or not is_last(found[-1]):
            found.append(await exchange.next())
        return found

    return asyncio.run(main())


def is_last(message: Answer) -> bool:
    return isinstance(message, Data) and message.end == End.STREAM


def body(messages: Iterable[Answer]) -> bytes:
    return b"".join(message.body for message in messages if isinstance(message, Data))


def pieces(bodies: Iterable[bytes]) -> list[Answer]:
    return [*(Data(STREAM, End.MORE, body) for body in bodies), Data(STREAM, End.STREAM, b"!")]


@pytest.mark.parametrize("piece", [b"", b"x"])
def test_pieces_without_number_are_few_that_wait(piece: bytes) -> None:
    found = waiting(pieces([piece] * 100_000))
    assert len(found) <= CROWD + 100_000 // SMALL + 2
    assert body(found) == piece * 100_000 + b"!"


def test_as_many_as_a_window_holds_of_any_size_are_bounded() -> None:
    size = SMALL // 2 + 1
    found = waiting(pieces([bytes(size)] * (WINDOW // size)))
    assert len(found) <= CROWD + 2 * WINDOW // SMALL


def test_those_that_are_few_stay_as_they_were_made() -> None:
    made = pieces([b"one", b"", b"two"])
    assert waiting(made) == made


@given(st.lists(st.binary(max_size=3 * SMALL // 2), max_size=3 * CROWD))
def test_nothing_is_lost_and_nothing_changes_its_place(bodies: list[bytes]) -> None:
    found = waiting(pieces(bodies))
    assert body(found) == b"".join(bodies) + b"!"


def test_what_is_no_piece_stays_by_itself() -> None:
    async def main() -> None:
        exchange = Exchange(Mock(loop=asyncio.get_running_loop()), STREAM)
        messages = [*pieces([b"x"] * CROWD)[:CROWD], Closed(STREAM)]
        for message in messages:
            exchange.deliver(message)
        assert [await exchange.next() for _ in messages] == messages

    asyncio.run(main())


# An answer that nobody wants


def test_nothing_is_kept_of_an_answer_that_is_not_wanted() -> None:
    async def main() -> None:
        exchange = Exchange(Mock(loop=asyncio.get_running_loop()), STREAM)
        exchange.deliver(Data(STREAM, End.MORE, b"before"))
        exchange.cancel("a test")
        exchange.deliver(Response(STREAM, 200, (), End.MORE, b"late"))
        exchange.deliver(Data(STREAM, End.MORE, b"later"))
        exchange.deliver(Data(STREAM, End.STREAM, b"last"))
        assert await exchange.next() == Data(STREAM, End.STREAM, b"")
        assert not exchange.has_next

    asyncio.run(main())


def test_a_piece_goes_with_the_request_whose_client_has_gone() -> None:
    """And not when the garbage is collected: thousands of clients may go before that."""

    class Piece:
        """Stands for a local variable of whoever waits."""

    async def wait(exchange: Exchange) -> "weakref.ref[Piece]":
        piece = Piece()
        with pytest.raises(ExchangeError):
            await exchange.next()
        return weakref.ref(piece)

    async def main() -> None:
        exchange = Exchange(Mock(loop=asyncio.get_running_loop()), STREAM)
        exchange.deliver(ClientGone("a test"))
        assert (await wait(exchange))() is None

    gc.disable()
    try:
        asyncio.run(main())
    finally:
        gc.enable()


def test_the_clock_of_one_that_is_given_up_goes_with_it() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        exchange = Exchange(Mock(loop=loop), STREAM)
        exchange.cancel("a test")
        exchange.grace = loop.call_later(3600, print)
        exchange.end()
        assert exchange.grace.cancelled()

    asyncio.run(main())
