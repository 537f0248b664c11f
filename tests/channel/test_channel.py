"""What leaves for the worker and for the clients, when, and in which order; and who is told of places that are free."""

import asyncio
from collections.abc import Callable
from functools import partial
from unittest.mock import Mock

import pytest

from endpointd.channel.channel import Channel
from endpointd.channel.exchange import Exchange
from endpointd_wire.flow import CREDIT_STEP
from endpointd_wire.memory import LARGE
from endpointd_wire.messages import Data, Drain, Drained, End, Failed, Message, Response, Stored
from support.channels import hear, hearing, open_channel
from support.connection_pair import a_request

# What leaves together


def written(story: Callable[[Channel], object]) -> list[int]:
    """How often was written: in the turn of the loop in which `story` is told, and by the end of the next one."""

    async def main() -> list[int]:
        channel, transport = open_channel()
        story(channel)
        at_once = transport.write.call_count
        await asyncio.sleep(0)
        return [at_once, transport.write.call_count]

    return asyncio.run(main())


def test_a_request_for_a_worker_without_any_leaves_at_once() -> None:
    assert written(lambda channel: [channel.open(a_request)]) == [1, 1]


def test_one_that_comes_with_it_leaves_at_the_end_of_the_turn() -> None:
    assert written(lambda channel: [channel.open(a_request) for _ in range(2)]) == [1, 2]


def test_the_less_a_worker_has_to_do_the_sooner_it_is_given_more() -> None:
    """It works while the rest is being read, and is to have something to do until then."""

    async def main() -> list[int]:
        channel, transport = open_channel()
        together = []
        transport.write.side_effect = lambda data: together.append(len(data))
        for _ in range(1 + 2 + 4 + 4 + 3):
            channel.open(a_request)
        channel._flush()
        return [size // together[0] for size in together]

    assert asyncio.run(main()) == [1, 2, 4, 4, 3]


def test_one_that_was_answered_does_not_count_as_work() -> None:
    def story(channel: Channel) -> None:
        exchanges = [channel.open(a_request) for _ in range(1 + 2)]
        hear(channel, *(Response(exchange.stream, 200, (), End.STREAM, b"") for exchange in exchanges))
        channel.open(a_request)

    assert written(story) == [3, 3]


def test_a_credit_leaves_at_once_with_all_that_was_to_leave() -> None:
    def story(channel: Channel) -> None:
        exchange = channel.open(a_request)
        hear(channel, Response(exchange.stream, 200, (), End.MORE, bytes(CREDIT_STEP)))
        channel.open(a_request)
        exchange.consumed(CREDIT_STEP - 1)
        exchange.consumed(1)

    assert written(story) == [2, 2]


def test_credit_for_what_came_with_the_last_word_of_a_worker_is_kept_back() -> None:
    """All messages that come together are known to the connection before the first of them is handed out."""

    async def main() -> None:
        channel, transport = open_channel()
        exchange = channel.open(a_request)
        hear(channel, Response(exchange.stream, 200, (), End.MORE, b""))
        await exchange.next()
        piece = bytes(CREDIT_STEP)

        def take(body: bytes | memoryview) -> bool:
            exchange.consumed(len(body))
            return True

        taker = Mock(take=take)
        rest = asyncio.create_task(exchange.next(taker))
        await asyncio.sleep(0)
        channel.send(Drain())
        await asyncio.sleep(0)
        transport.write.reset_mock()
        hear(channel, Data(exchange.stream, End.MORE, piece), Data(exchange.stream, End.STREAM, b"end"), Drained())
        assert (await rest).body == b"end"  # type: ignore[union-attr]
        transport.write.assert_not_called()

    asyncio.run(main())


def test_what_follows_from_answers_leaves_before_there_is_time_for_anything_else() -> None:
    """Requests that had to wait for a place, say: the worker may have nothing to do."""

    def story(channel: Channel) -> None:
        first = channel.open(a_request)
        channel.open(a_request)
        hear(channel, Response(first.stream, 200, (), End.STREAM, b""))

    assert written(story) == [2, 2]


def answered(channel: Channel, answer: Callable[[Exchange], None], count: int, events: list[str]) -> None:
    """So many answers come together, each of which lets `answer` be called. `events` has what the worker is given."""
    channel._transport.write.side_effect = lambda _: events.append("to the worker")  # type: ignore[union-attr]
    channel._freed = lambda: events.append(f"{channel.open(a_request).stream} begins")
    exchanges = [channel.open(a_request) for _ in range(count)]
    channel._flush()
    events.clear()
    for exchange in exchanges:
        exchange.listen(partial(answer, exchange))
    hear(channel, *(Response(exchange.stream, 200, (), End.STREAM, b"") for exchange in exchanges))


def test_answers_that_have_come_together_leave_when_the_worker_has_more_to_do() -> None:
    async def main() -> None:
        events: list[str] = []
        channel = open_channel()[0]

        def answer(exchange: Exchange) -> None:
            exchange.settle_later(Mock(settle=lambda: events.append(f"{exchange.stream} leaves")))

        answered(channel, answer, 2, events)
        assert events == ["to the worker", "3 begins", "1 leaves", "2 leaves"]

    asyncio.run(main())


def test_one_that_cannot_leave_keeps_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        left: list[int] = []
        channel = open_channel()[0]

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
        channel, _ = open_channel(freed=Mock(side_effect=RuntimeError("a defect")))
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
        hear(channel, Response(other.stream, 200, (), End.STREAM, b""), Stored(exchange.stream, End.MORE, 0, LARGE))
        assert channel._fault is not None
        left.settle.assert_called_once_with()

    asyncio.run(main())


def test_what_does_not_come_from_the_worker_has_nothing_to_wait_for() -> None:
    """Nor has what comes of an answer that leaves."""

    async def main() -> None:
        left, follows = Mock(), Mock()
        channel = open_channel()[0]
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
        channel, _ = open_channel(freed=lambda: told.append(len(channel.exchanges)))
        exchanges = [channel.open(a_request) for _ in range(requests)]
        hear(channel, *(make(exchange.stream) for make, exchange in zip(about, exchanges, strict=False)))
        then(channel)
        return (told or [-1])[0], len(told)

    return asyncio.run(main())


def whole(stream: int) -> Message:
    return Response(stream, 200, (), End.STREAM, b"")


def begun(stream: int) -> Message:
    return Response(stream, 200, (), End.MORE, b"")


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
