"""Who may start, in virtual time."""

import asyncio
from collections.abc import Awaitable, Callable

from endpointd.supervisor.starts import HOLD, Starts
from support.virtual_time import run_in_virtual_time


def now() -> float:
    return asyncio.get_running_loop().time()


async def start(
    starts: Starts, failures: int, seconds: float, who: object = None, *, awaited: bool = False
) -> tuple[float, float]:
    """A start that takes so long: when it began and when it was done."""
    async with starts.place(failures, who, awaited=awaited):
        began = now()
        await asyncio.sleep(seconds)
    return began, now()


def run(limit: int, scenario: Callable[[Starts], Awaitable[None]]) -> None:
    async def main() -> None:
        starts = Starts(limit)
        await scenario(starts)
        assert starts.waiting == 0
        # Every place is there again.
        assert [began for began, _ in await asyncio.gather(*(start(starts, 0, 1) for _ in range(limit)))] == [
            now() - 1
        ] * limit

    run_in_virtual_time(main())


def test_no_more_start_at_once_than_may() -> None:
    async def scenario(starts: Starts) -> None:
        spans = await asyncio.gather(*(start(starts, 0, 1.0) for _ in range(10)))
        assert [began for began, _ in spans] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]

    run(2, scenario)


def test_as_many_start_at_once_as_may_by_now() -> None:
    async def scenario(starts: Starts) -> None:
        tasks = [asyncio.create_task(start(starts, 0, 1.0)) for _ in range(9)]
        await asyncio.sleep(0.5)
        starts.limit(3)
        await asyncio.sleep(0.125)
        starts.limit(1)
        await asyncio.sleep(1.0)
        starts.limit(2)
        assert [began for began, _ in await asyncio.gather(*tasks)] == [0, 0, 0.5, 1.5, 1.625, 2.5, 2.625, 3.5, 3.625]

    run(2, scenario)


def test_who_never_failed_goes_first() -> None:
    async def scenario(starts: Starts) -> None:
        broken = [asyncio.create_task(start(starts, 3, 1.0)) for _ in range(200)]
        await asyncio.sleep(0.5)
        assert await start(starts, 0, 1.0) == (1.0, 2.0)
        await asyncio.gather(*broken)

    run(4, scenario)


def test_who_is_awaited_goes_first_among_equals() -> None:
    async def scenario(starts: Starts) -> None:
        others = [asyncio.create_task(start(starts, 0, 1.0)) for _ in range(100)]
        failed = asyncio.create_task(start(starts, 1, 1.0, awaited=True))
        hurried = asyncio.create_task(start(starts, 0, 1.0, "hurried"))
        await asyncio.sleep(0.5)
        awaited = asyncio.create_task(start(starts, 0, 1.0, awaited=True))
        await asyncio.sleep(0)
        starts.hurry("hurried")
        starts.hurry("hurried")
        starts.hurry("nobody")
        assert await hurried == (1.0, 2.0)
        assert await awaited == (2.0, 3.0)
        starts.hurry("hurried")
        await asyncio.gather(*others)
        assert not failed.done()
        await failed

    run(1, scenario)


def test_who_is_hurried_and_goes_away_leaves_its_place() -> None:
    async def scenario(starts: Starts) -> None:
        first = asyncio.create_task(start(starts, 0, 1.0))
        hurried = asyncio.create_task(start(starts, 0, 1.0, "hurried"))
        await asyncio.sleep(0.5)
        starts.hurry("hurried")
        hurried.cancel()
        await asyncio.wait({first, hurried})
        assert starts.waiting == 0

    run(1, scenario)


def test_who_takes_long_does_not_hold_the_others_up() -> None:
    async def scenario(starts: Starts) -> None:
        slow = [asyncio.create_task(start(starts, 0, 60.0)) for _ in range(4)]
        await asyncio.sleep(0)
        assert await start(starts, 0, 1.0) == (HOLD, HOLD + 1)
        await asyncio.gather(*slow)

    run(4, scenario)


def test_who_goes_away_leaves_its_place() -> None:
    async def scenario(starts: Starts) -> None:
        first = asyncio.create_task(start(starts, 0, 1.0))
        waiting = asyncio.create_task(start(starts, 0, 1.0))
        last = asyncio.create_task(start(starts, 0, 1.0))
        await asyncio.sleep(0.5)
        waiting.cancel()
        first.cancel()
        assert await last == (0.5, 1.5)
        await asyncio.wait({first, waiting})

    run(1, scenario)


def test_a_place_that_comes_to_who_has_just_gone_is_not_lost() -> None:
    async def scenario(starts: Starts) -> None:
        async with starts.place(0):
            second = asyncio.create_task(start(starts, 0, 1.0))
            await asyncio.sleep(0)
            assert starts.waiting == 1
        # The place is given to the second, which is cancelled before it has run.
        assert starts.waiting == 0
        second.cancel()
        await asyncio.wait({second})

    run(1, scenario)
