"""The clocks of all requests, looked at together. In virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from endpointd.gateway.clocks import MOST, PERIOD, Clocks
from support.virtual_time import run_in_virtual_time


class Request:
    """Notes when it was looked at, and acts once."""

    def __init__(self, act: Callable[[], None] = lambda: None) -> None:
        self.looks: list[float] = []
        self.act = act

    def check(self, now: float) -> None:
        self.looks.append(round(now, 6))
        self.act()


def with_clocks(story: Callable[[Clocks], Awaitable[None]]) -> None:
    async def main() -> None:
        clocks = Clocks()
        await story(clocks)
        clocks.stop()

    run_in_virtual_time(main())


def looks(first: int, last: int) -> list[float]:
    return [round(number * PERIOD, 6) for number in range(first, last + 1)]


def test_all_are_looked_at_in_each_period() -> None:
    async def story(clocks: Clocks) -> None:
        one, two = Request(), Request()
        clocks.add(one)
        await asyncio.sleep(2.5 * PERIOD)
        clocks.add(two)
        await asyncio.sleep(2 * PERIOD)
        assert one.looks == looks(1, 4)
        assert two.looks == looks(3, 4)

    with_clocks(story)


def test_many_take_turns() -> None:
    """A look at all of them would keep every other request waiting."""

    async def story(clocks: Clocks) -> None:
        requests = [Request() for _ in range(3 * MOST)]
        for request in requests:
            clocks.add(request)
        await asyncio.sleep(6.5 * PERIOD)
        for number, request in enumerate(requests):
            first = number // MOST + 1
            assert request.looks == [*looks(first, first), *looks(first + 3, first + 3)]

    with_clocks(story)


def test_one_that_has_gone_is_not_looked_at() -> None:
    async def story(clocks: Clocks) -> None:
        one, two = Request(), Request()
        clocks.add(one)
        clocks.add(two)
        await asyncio.sleep(1.5 * PERIOD)
        clocks.discard(one)
        clocks.discard(one)
        await asyncio.sleep(PERIOD)
        assert (one.looks, two.looks) == (looks(1, 1), looks(1, 2))

    with_clocks(story)


def test_without_requests_nothing_ticks() -> None:
    async def story(clocks: Clocks) -> None:
        request = Request()
        clocks.add(request)
        clocks.discard(request)
        await asyncio.sleep(2 * PERIOD)
        # Nothing but a timer could end this wait.
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="never happen"):
        with_clocks(story)


def test_the_clocks_go_on_after_a_pause() -> None:
    async def story(clocks: Clocks) -> None:
        request = Request()
        clocks.add(request)
        clocks.discard(request)
        await asyncio.sleep(5 * PERIOD)
        clocks.add(request)
        await asyncio.sleep(1.5 * PERIOD)
        assert request.looks == looks(6, 6)

    with_clocks(story)


def test_a_request_may_come_and_go_while_others_are_looked_at() -> None:
    async def story(clocks: Clocks) -> None:
        late = Request()

        def make_room() -> None:
            clocks.discard(first)
            clocks.add(late)

        first = Request(make_room)
        clocks.add(first)
        await asyncio.sleep(2.5 * PERIOD)
        assert (first.looks, late.looks) == (looks(1, 1), looks(2, 2))

    with_clocks(story)


def test_one_that_fails_does_not_stop_the_clocks() -> None:
    async def story(clocks: Clocks) -> None:
        told: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context["exception"]))
        error = ValueError("a bug")

        def fail() -> None:
            raise error

        request = Request(fail)
        clocks.add(request)
        await asyncio.sleep(3.5 * PERIOD)
        assert request.looks == looks(1, 3)
        assert told == [error] * 3

    with_clocks(story)


def test_one_that_fails_keeps_no_other_from_its_clocks() -> None:
    async def story(clocks: Clocks) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)

        def fail() -> None:
            raise ValueError

        others = [Request() for _ in range(5)]
        # In whatever order they are looked at, one that fails comes before some other.
        for request in (Request(fail), *others, Request(fail)):
            clocks.add(request)
        await asyncio.sleep(2.5 * PERIOD)
        assert [request.looks for request in others] == [looks(1, 2)] * 5

    with_clocks(story)


def test_stopped_they_look_at_nobody() -> None:
    async def story(clocks: Clocks) -> None:
        request = Request()
        clocks.add(request)
        clocks.stop()
        clocks.stop()
        await asyncio.sleep(2 * PERIOD)
        assert request.looks == []

    with_clocks(story)
