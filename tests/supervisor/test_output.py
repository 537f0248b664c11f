"""A worker's output as lines: the same however it is delivered, and never without bound."""

import asyncio
import itertools
import os
from collections.abc import Callable

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from endpointd.supervisor.output import MAX_LINE, LineCutter, OutputReader

TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
ENDS = st.sampled_from(["\n", "\r\n"])


def cut(*deliveries: bytes) -> list[str]:
    """All lines of what is delivered."""
    cutter = LineCutter()
    return [line for data in deliveries for line in cutter.feed(data)] + cutter.end()


@given(st.lists(st.tuples(TEXTS, ENDS)), TEXTS)
def test_lines_come_without_their_ends(lines: list[tuple[str, str]], rest: str) -> None:
    data = "".join(text + end for text, end in lines) + rest
    assert cut(data.encode()) == [text for text, _ in lines] + ([rest] if rest else [])


OUTPUT = st.lists(
    st.binary(max_size=20)
    | st.sampled_from(
        [b"\n", b"\r\n", b"x" * (MAX_LINE - 1), b"y" * MAX_LINE, b"z" * 100_000, "語".encode() * 9000, b"\x80" * 40_000]
    )
).map(b"".join)


@given(data=OUTPUT, cuts=st.lists(st.integers(0, 120_000), max_size=6))
def test_lines_do_not_depend_on_the_delivery(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(data)]
    deliveries = [data[start:end] for start, end in itertools.pairwise(places)]
    assert cut(*deliveries) == cut(data)


@given(data=OUTPUT)
def test_nothing_is_lost_and_no_line_is_longer_than_it_may_be(data: bytes) -> None:
    lines = cut(data)
    assert all(len(line) <= MAX_LINE for line in lines)
    expected = data.decode("latin-1").replace("\n", "").replace("\r", "")
    if data.isascii():
        assert "".join(lines).replace("\r", "") == expected


@pytest.mark.parametrize(("size", "pieces"), [(MAX_LINE, 1), (MAX_LINE + 1, 2), (3 * MAX_LINE, 3)])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_long_line_is_cut_into_few(size: int, pieces: int, end: bytes) -> None:
    lines = cut(b"x" * size + end)
    assert [len(line) for line in lines] == [MAX_LINE] * (size // MAX_LINE) + [size % MAX_LINE] * (size % MAX_LINE > 0)
    assert len(lines) == pieces


@pytest.mark.parametrize("character", ["é", "語", "🦆"])
@pytest.mark.parametrize("before", range(4))
def test_a_long_line_is_cut_between_characters(character: str, before: int) -> None:
    text = "x" * before + character * MAX_LINE
    lines = cut(text.encode())
    assert "".join(lines) == text
    assert all(MAX_LINE - 4 < len(line.encode()) <= MAX_LINE for line in lines[:-1])


def test_a_line_without_an_end_is_told_before_its_end() -> None:
    cutter = LineCutter()
    told = [line for _ in range(100) for line in cutter.feed(b"x" * 1024)]
    assert sum(map(len, told)) >= 100 * 1024 - MAX_LINE


def test_bytes_that_are_no_text_are_told_as_well() -> None:
    assert cut(b"a\xffb\n\xc3", b"\xa4\n") == ["a\ufffdb", "ä"]


def test_the_reader_takes_lines_until_the_last_writer_has_gone() -> None:
    async def story() -> list[str]:
        lines: list[str] = []
        read_end, write_end = os.pipe()
        reader, pipe = await OutputReader.attach(read_end, lines.append)
        second = os.dup(write_end)
        os.write(write_end, b"one\ntw")
        os.close(write_end)
        os.write(second, b"o\nthree")
        assert not reader.done.is_set()
        os.close(second)
        async with asyncio.timeout(10):
            await reader.done.wait()
        pipe.close()
        return lines

    assert asyncio.run(story()) == ["one", "two", "three"]


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_flood_of_short_lines_leaves_others_their_turns(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """A full pipe of empty lines is some 65,000 of them, each of which is logged: seconds in which nobody is served."""

    async def story() -> tuple[int, int]:
        taken = since_others = most = 0

        def take(_: str) -> None:
            nonlocal taken, since_others
            taken += 1
            since_others += 1

        read_end, write_end = os.pipe()
        os.write(write_end, b"\n" * 60_000 + b"end")
        os.close(write_end)
        reader, pipe = await OutputReader.attach(read_end, take)
        async with asyncio.timeout(30):
            while not reader.done.is_set():
                most, since_others = max(most, since_others), 0
                await asyncio.sleep(0)
        pipe.close()
        return taken, most

    with asyncio.Runner(loop_factory=new_loop) as runner:
        taken, most = runner.run(story())
    assert taken == 60_001
    assert most <= 100


def test_what_was_read_is_taken_though_the_pipe_is_closed() -> None:
    async def story() -> list[str]:
        lines: list[str] = []
        begun = asyncio.Event()

        def take(line: str) -> None:
            lines.append(line)
            begun.set()

        read_end, write_end = os.pipe()
        reader, pipe = await OutputReader.attach(read_end, take)
        os.write(write_end, b"a line\n" * 1000)
        await begun.wait()
        pipe.close()
        async with asyncio.timeout(30):
            await reader.done.wait()
        os.close(write_end)
        return lines

    assert asyncio.run(story()) == ["a line"] * 1000


def test_last_words_wait_for_nobody_who_reads_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback among them is what the report of a failure is made of."""
    looked = asyncio.Event()

    def is_behind() -> bool:
        looked.set()
        return True

    async def story() -> tuple[list[str], list[str]]:
        lines: list[str] = []
        read_end, write_end = os.pipe()
        reader, pipe = await OutputReader.attach(read_end, lines.append)
        os.write(write_end, b"a line\n" * 1000)
        os.close(write_end)
        await looked.wait()
        before = [*lines]
        reader.hurry()
        async with asyncio.timeout(30):
            await reader.done.wait()
        pipe.close()
        return before, lines

    monkeypatch.setattr("endpointd.logs.logs.is_behind", is_behind)
    assert asyncio.run(story()) == ([], ["a line"] * 1000)
