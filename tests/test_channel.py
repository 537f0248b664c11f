"""What waits for a client that takes nothing: the worker decides how it is cut, and not how much it costs. And what
leaves for the worker, when."""

import asyncio
import gc
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.channel import Channel
from endpointd.exchange import CROWD, SMALL, Answer, ClientGone, Exchange, ExchangeError
from endpointd_wire.flow import CREDIT_STEP, WINDOW
from endpointd_wire.frames import MAX_PIECE, encode
from endpointd_wire.memory import LARGE, RING, SIZE, Ring, RingReader
from endpointd_wire.messages import Closed, Data, End, Failed, Message, Response, Stored
from endpointd_wire.states import Phase
from support.connection_pair import a_request

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
        exchange.deliver(Response(STREAM, 200, [], End.MORE, b"late"))
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


# What leaves together


def written(story: Callable[[Channel], object]) -> list[int]:
    """How often was written: in the turn of the loop in which `story` is told, and by the end of the next one."""

    async def main() -> list[int]:
        channel = Channel(Mock(), Mock(), Mock(), Mock())
        transport = Mock(**{"is_closing.return_value": False})
        channel.connection_made(transport)
        channel.connection.phase = Phase.OPEN
        story(channel)
        at_once = transport.write.call_count
        await asyncio.sleep(0)
        return [at_once, transport.write.call_count]

    return asyncio.run(main())


def test_a_request_for_a_worker_without_any_leaves_at_once() -> None:
    assert written(lambda channel: [channel.open(a_request)]) == [1, 1]


def test_those_that_come_with_it_leave_together() -> None:
    assert written(lambda channel: [channel.open(a_request) for _ in range(5)]) == [1, 2]


def test_a_credit_leaves_at_once_with_all_that_was_to_leave() -> None:
    def story(channel: Channel) -> None:
        exchange = channel.open(a_request)
        hear(channel, Response(exchange.stream, 200, [], End.MORE, bytes(CREDIT_STEP)))
        for _ in range(4):
            channel.open(a_request)
        exchange.consumed(CREDIT_STEP - 1)
        exchange.consumed(1)

    assert written(story) == [2, 2]


def test_what_follows_from_answers_leaves_before_there_is_time_for_anything_else() -> None:
    """Requests that had to wait for a place, say: the worker may have nothing to do."""

    def story(channel: Channel) -> None:
        first = channel.open(a_request)
        channel.open(a_request)
        hear(channel, Response(first.stream, 200, [], End.STREAM, b""))

    assert written(story) == [2, 2]


def answered(channel: Channel, answer: Callable[[Exchange], None], count: int, events: list[str]) -> None:
    """So many answers come together, each of which lets `answer` be called. `events` has what the worker is given."""
    transport = Mock(**{"is_closing.return_value": False})
    transport.write.side_effect = lambda _: events.append("to the worker")
    channel.connection_made(transport)
    channel.connection.phase = Phase.OPEN
    channel._freed = lambda: events.append(f"{channel.open(a_request).stream} begins")
    exchanges = [channel.open(a_request) for _ in range(count)]
    channel._flush()
    events.clear()
    for exchange in exchanges:
        exchange.listen(partial(answer, exchange))
    hear(channel, *(Response(exchange.stream, 200, [], End.STREAM, b"") for exchange in exchanges))


def test_answers_that_have_come_together_leave_when_the_worker_has_more_to_do() -> None:
    async def main() -> None:
        events: list[str] = []
        channel = Channel(Mock(), Mock(), Mock(), Mock())

        def answer(exchange: Exchange) -> None:
            exchange.settle_later(Mock(settle=lambda: events.append(f"{exchange.stream} leaves")))

        answered(channel, answer, 2, events)
        assert events == ["to the worker", "3 begins", "1 leaves", "2 leaves"]

    asyncio.run(main())


def test_one_that_cannot_leave_keeps_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        left: list[int] = []
        channel = Channel(Mock(), Mock(), Mock(), Mock())

        def answer(exchange: Exchange) -> None:
            settle = Mock(side_effect=RuntimeError) if exchange.stream == 1 else lambda: left.append(exchange.stream)
            exchange.settle_later(Mock(settle=settle))

        answered(channel, answer, 3, [])
        assert left == [2, 3]

    asyncio.run(main())
    assert "channel.defect" in capsys.readouterr().out


def test_answers_leave_though_their_places_cannot_be_given_away() -> None:
    async def main() -> None:
        left = Mock()
        channel = Channel(Mock(), Mock(), Mock(), Mock())
        channel.connection_made(Mock(**{"is_closing.return_value": False}))
        channel.connection.phase = Phase.OPEN
        channel._freed = Mock(side_effect=RuntimeError("a defect"))
        exchange = channel.open(a_request)
        exchange.listen(lambda: exchange.settle_later(left))
        with pytest.raises(RuntimeError, match="a defect"):
            hear(channel, whole(exchange.stream))
        left.settle.assert_called_once_with()

    asyncio.run(main())


def test_answers_leave_though_what_came_with_them_breaks_the_protocol() -> None:
    async def main() -> None:
        channel, exchange, _ = hearing(shared=False)
        left = Mock()
        other = channel.open(a_request)
        other.listen(lambda: other.settle_later(left))
        hear(channel, Response(other.stream, 200, [], End.STREAM, b""), Stored(exchange.stream, End.MORE, 0, LARGE))
        assert channel._fault is not None
        left.settle.assert_called_once_with()

    asyncio.run(main())


def test_what_does_not_come_from_the_worker_has_nothing_to_wait_for() -> None:
    """Nor has what comes of an answer that leaves."""

    async def main() -> None:
        left, follows = Mock(), Mock()
        channel = Channel(Mock(), Mock(), Mock(), Mock())
        channel.feed(left)
        left.settle.assert_called_once_with()
        left.settle.side_effect = lambda: channel.feed(follows)
        answered(channel, lambda exchange: exchange.settle_later(left), 1, [])
        follows.settle.assert_called_once_with()

    asyncio.run(main())


# Whose places are free again


def heard_together(
    *about: Callable[[int], Message], requests: int = 3, then: Callable[[Channel], object] = id
) -> tuple[int, int]:
    """How many are still open when the channel first tells of free places, and how often it tells, where a message
    comes about each of the first requests, all of them in one reading."""

    async def main() -> tuple[int, int]:
        told: list[int] = []
        channel = Channel(Mock(), lambda: told.append(len(channel.exchanges)), Mock(), Mock())
        channel.connection_made(Mock(**{"is_closing.return_value": False}))
        channel.connection.phase = Phase.OPEN
        exchanges = [channel.open(a_request) for _ in range(requests)]
        hear(channel, *(make(exchange.stream) for make, exchange in zip(about, exchanges, strict=False)))
        then(channel)
        return (told or [-1])[0], len(told)

    return asyncio.run(main())


def whole(stream: int) -> Message:
    return Response(stream, 200, [], End.STREAM, b"")


def begun(stream: int) -> Message:
    return Response(stream, 200, [], End.MORE, b"")


def failed(stream: int) -> Message:
    return Failed(stream, "exception", "")


def test_places_that_become_free_together_are_told_of_once() -> None:
    assert heard_together(whole, failed, whole) == (0, 1)
    assert heard_together(begun, whole, begun) == (2, 1)
    assert heard_together(whole, then=lambda channel: hear(channel, Failed(2, "exception", ""))) == (2, 2)
    assert heard_together(whole, then=lambda channel: hear(channel, begun(2))) == (2, 1)


def test_nobody_is_told_of_places_when_none_becomes_free() -> None:
    assert heard_together(begun, begun) == (-1, 0)
    assert heard_together(requests=0, then=lambda channel: channel.connection_lost(None)) == (-1, 0)


def test_the_places_of_a_worker_that_goes_are_told_of() -> None:
    assert heard_together(begun, then=lambda channel: channel.connection_lost(None)) == (0, 1)


# Pieces in the memory that is shared


def hearing(*messages: Message, shared: bool = True) -> tuple[Channel, Exchange, Ring]:
    """A channel, with the worker's end of its memory, that has heard `messages` about its one exchange."""
    memory = memoryview(bytearray(SIZE))
    channel = Channel(Mock(), Mock(), Mock(), Mock())
    channel.connection_made(Mock(**{"is_closing.return_value": False}))
    channel.connection.phase = Phase.OPEN
    exchange = channel.open(a_request)
    ring = Ring(memory)
    if shared:
        channel._memory = RingReader(memory)
    for message in (Response(exchange.stream, 200, [], End.MORE, b""), *messages):
        hear(channel, message)
    return channel, exchange, ring


def hear(channel: Channel, *messages: Message) -> None:
    """Messages that come together."""
    frames = b"".join(buffer for message in messages for buffer in encode(message))
    channel.get_buffer(-1)[: len(frames)] = frames
    channel.buffer_updated(len(frames))


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
