"""The journal: what it keeps, what it forgets, and what its readers are told."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

import pytest

from endpointd.logs.journal import Entry, Follower, Journal


def journal(max_lines: int = 1000, max_bytes: int = 1024) -> Journal:
    return Journal(max_lines, max_bytes, now=count().__next__)


def texts(entries: list[Entry]) -> list[str]:
    return [entry.text for entry in entries]


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(5):
            await story()

    asyncio.run(main())


async def rest(follower: Follower) -> list[Entry]:
    return [entry async for entry in follower]


def test_an_entry_says_when_and_from_where() -> None:
    ring = journal()
    ring.append("output", "hello")
    ring.append("log", "oh", level="ERROR", request="r-1")
    first, second = ring.tail(10)
    assert first.as_dict() == {
        "at": 0, "stream": "output", "text": "hello", "level": None, "request": None, "lost": 0, "pid": None,
    }  # fmt: skip
    assert second == Entry(1, "log", "oh", "ERROR", "r-1")


def test_the_oldest_lines_give_way() -> None:
    ring = journal(max_lines=3)
    for number in range(5):
        ring.append("output", str(number))
    assert texts(ring.tail(10)) == ["2", "3", "4"]
    assert texts(ring.tail(2)) == ["3", "4"]
    assert ring.tail(0) == []


def test_the_bytes_are_bounded_and_not_the_letters() -> None:
    ring = journal(max_bytes=100)
    for letter in "äöü":
        ring.append("output", letter * 12)
    assert len(ring.tail(10)) == 3
    for letter in "äöü":
        ring.append("output", letter * 12)
    assert texts(ring.tail(10)) == ["ü" * 12, "ä" * 12, "ö" * 12, "ü" * 12]


def test_one_huge_text_does_not_push_out_all_others() -> None:
    ring = journal(max_bytes=100)
    ring.append("output", "before")
    ring.append("output", "ä" * 1000)
    assert texts(ring.tail(10)) == ["before", "ä" * 12 + " … (cut)"]


@pytest.mark.parametrize("text", ["\udcff", "a\0b", ""])
def test_any_text_will_do(text: str) -> None:
    ring = journal()
    ring.append("output", text)
    assert texts(ring.tail(1)) == [text]


def test_a_follower_reads_what_was_and_what_comes_without_gap() -> None:
    async def story() -> None:
        ring = journal()
        for text in "abc":
            ring.append("output", text)
        follower = ring.follow(2)
        assert [(await anext(follower)).text, (await anext(follower)).text] == ["b", "c"]
        waiting = asyncio.create_task(anext(follower))
        await asyncio.sleep(0)
        assert not waiting.done()
        ring.append("output", "d")
        assert (await waiting).text == "d"

    run(story)


def test_a_slow_follower_loses_lines_and_is_told_how_many() -> None:
    async def story() -> None:
        ring = journal(max_lines=3)
        slow, quick = ring.follow(), ring.follow()
        read = []
        for number in range(10):
            ring.append("output", str(number))
            read.append(await anext(quick))
        assert [entry.lost for entry in read] == [0] * 10
        ring.close()
        assert [(entry.text, entry.lost) for entry in await rest(slow)] == [("7", 7), ("8", 0), ("9", 0)]

    run(story)


def test_a_follower_ends_when_the_journal_does_and_misses_nothing() -> None:
    async def story() -> None:
        ring = journal()
        waiting = asyncio.create_task(rest(ring.follow()))
        await asyncio.sleep(0)
        ring.append("event", "the last one")
        ring.close()
        assert texts(await waiting) == ["the last one"]
        assert texts(await rest(ring.follow(5))) == ["the last one"]
        assert ring.followers == 0

    run(story)


def test_who_has_left_is_forgotten() -> None:
    async def story() -> None:
        ring = journal()
        follower = ring.follow()
        assert ring.followers == 1
        follower.close()
        assert ring.followers == 0

    run(story)
