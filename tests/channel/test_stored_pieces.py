"""Pieces of answers that stand in the memory which host and worker share."""

import asyncio
from unittest.mock import Mock

import pytest

from endpointd.channel.exchange import ExchangeError
from endpointd_wire.frames import MAX_PIECE
from endpointd_wire.memory import LARGE, RING
from endpointd_wire.messages import Data, End, Stored
from support.channels import hear, hearing


def test_a_stored_piece_is_copied_for_one_who_is_not_ready_and_then_freed() -> None:
    async def main() -> None:
        channel, exchange, ring = hearing()
        fillings = [bytes([number]) * MAX_PIECE for number in range(RING // MAX_PIECE)]
        for filling in fillings:
            hear(channel, Stored(exchange.stream, End.MORE, ring.put([filling], MAX_PIECE) or 0, MAX_PIECE))
        # All of the ring is written over.
        assert all(ring.put([b"-" * MAX_PIECE], MAX_PIECE) is not None for _ in fillings)
        assert (await exchange.next()).body == b""  # type: ignore[union-attr]
        assert [(await exchange.next()).body for _ in fillings] == fillings  # type: ignore[union-attr]

    asyncio.run(main())


def test_a_stored_piece_goes_to_one_who_is_ready_and_is_settled_once() -> None:
    async def main() -> None:
        channel, exchange, ring = hearing()
        await exchange.next()
        found: list[bytes] = []

        def take(body: bytes | memoryview) -> bool:
            found.append(bytes(body))
            return True

        taker = Mock(take=take)
        waits = asyncio.create_task(exchange.next(taker))
        await asyncio.sleep(0)
        position = ring.put([b"s" * LARGE], LARGE) or 0
        small = Data(exchange.stream, End.MORE, b"small")
        hear(channel, small, Stored(exchange.stream, End.MORE, position, LARGE))
        assert found == [b"small", b"s" * LARGE]
        taker.settle.assert_called_once_with()
        assert ring.rest()
        assert not waits.done()
        waits.cancel()

    asyncio.run(main())


@pytest.mark.parametrize("end", [End.MORE, End.STREAM])
def test_a_stored_piece_that_nobody_wants_is_freed(end: End) -> None:
    async def main() -> None:
        channel, exchange, ring = hearing()
        exchange.cancel("a test")
        hear(channel, Stored(exchange.stream, end, ring.put([b"s" * LARGE], LARGE) or 0, LARGE))
        assert ring.rest()

    asyncio.run(main())


def test_the_last_piece_may_be_stored() -> None:
    async def main() -> None:
        channel, exchange, ring = hearing()
        await exchange.next()
        hear(channel, Stored(exchange.stream, End.STREAM, ring.put([b"s" * LARGE], LARGE) or 0, LARGE))
        assert await exchange.next() == Data(exchange.stream, End.STREAM, b"s" * LARGE)
        assert exchange.is_over

    asyncio.run(main())


@pytest.mark.parametrize(("position", "shared"), [(0, False), (RING - 1, True), (-1, True), (1 << 70, True)])
def test_a_worker_that_has_stored_nothing_breaks_the_protocol(position: int, shared: bool) -> None:
    async def main() -> None:
        channel, exchange, _ = hearing(shared=shared)
        await exchange.next()
        hear(channel, Stored(exchange.stream, End.MORE, position, LARGE))
        assert channel._fault is not None
        channel.connection_lost(None)
        with pytest.raises(ExchangeError, match="memory" if not shared else "cannot stand at"):
            await exchange.next()

    asyncio.run(main())
