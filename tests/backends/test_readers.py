"""The readers of chunks and of events: however the bytes come, the same; and nothing but their own errors."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd.backends import framing, sse
from endpointd.backends.framing import ChunkReader, FramingError
from endpointd.backends.sse import EventReader, EventTooLarge, ServerEvent
from support.stand_in_dify import chunk

cuts = st.lists(st.integers(1, 40), max_size=60)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    found = []
    for size in sizes:
        found.append(data[:size])
        data = data[size:]
    return [*found, data]


@given(st.lists(st.binary(max_size=60), max_size=8), cuts)
def test_chunks_are_read_however_they_are_cut(payloads: list[bytes], sizes: list[int]) -> None:
    reader = ChunkReader()
    data = b"".join(map(chunk, payloads))
    assert [one for piece in pieces(data, sizes) for one in reader.receive(piece)] == payloads
    reader.finish()


@given(st.binary(max_size=200), cuts)
def test_any_bytes_give_chunks_or_an_error_of_framing(data: bytes, sizes: list[int]) -> None:
    reader = ChunkReader()
    try:
        for piece in pieces(data, sizes):
            list(reader.receive(piece))
        reader.finish()
    except FramingError:
        pass


def test_a_larger_second_head_is_skipped() -> None:
    data = b"\x0f\x00\x0e\x00" + (2).to_bytes(4, "little") + bytes(10) + b"ok"
    assert list(ChunkReader().receive(data)) == [b"ok"]


lines = st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=20)
ends = st.sampled_from(["\n", "\r\n", "\r"])


@given(st.lists(st.lists(lines, min_size=1, max_size=3), max_size=6), ends, cuts)
def test_events_are_read_however_they_are_cut(events: list[list[str]], end: str, sizes: list[int]) -> None:
    text = "".join("".join(f"data: {line}{end}" for line in event) + end for event in events)
    reader = EventReader()
    found = [one for piece in pieces(text.encode(), sizes) for one in reader.receive(piece)]
    assert found == [ServerEvent("", "\n".join(event).encode()) for event in events]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"event: ping\n\n", [ServerEvent("ping", b"")]),
        (b": a comment\n\n", []),
        (b"id: 1\nretry: 5\ndata\n\n", [ServerEvent("", b"")]),
        (b"data:x\ndata: y\n\n", [ServerEvent("", b"x\ny")]),
        (b"data:  two\n\n", [ServerEvent("", b" two")]),
        (b"data: not whole\n", []),
        (b"data: a\n\n\n\ndata: b\n\n", [ServerEvent("", b"a"), ServerEvent("", b"b")]),
    ],
)
def test_events_are_as_the_standard_has_them(text: bytes, expected: list[ServerEvent]) -> None:
    assert list(EventReader().receive(text)) == expected


@pytest.mark.parametrize("text", [b"data: x\r\n\r\n", b"event: ping\r\r", b": a comment\n"])
def test_an_event_that_is_whole_leaves_nothing_open(text: bytes) -> None:
    for cut in range(len(text)):
        reader = EventReader()
        collections.deque((one for part in (text[:cut], text[cut:]) for one in reader.receive(part)), maxlen=0)
        assert not reader.is_within_event


@pytest.mark.parametrize("text", [b"d", b"data: x", b"data: x\n", b"event: ping\n", b"data: x\n\ndata: y\n"])
def test_an_event_that_is_not_whole_is_known(text: bytes) -> None:
    reader = EventReader()
    collections.deque(reader.receive(text), maxlen=0)
    assert reader.is_within_event


@given(st.binary(max_size=200), cuts)
def test_any_bytes_give_events(data: bytes, sizes: list[int]) -> None:
    reader = EventReader()
    whole = list(EventReader().receive(data))
    assert [one for piece in pieces(data, sizes) for one in reader.receive(piece)] == whole


@pytest.mark.parametrize("line", [b"data: " + b"x" * 1000, b"data\n", b"x" * 1000, b"data: xx\n"])
def test_an_event_has_a_bound(monkeypatch: pytest.MonkeyPatch, line: bytes) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT", 10_000)
    reader = EventReader()
    with pytest.raises(EventTooLarge):
        collections.deque((one for _ in range(2000) for one in reader.receive(line)), maxlen=0)


def test_a_chunk_has_a_bound() -> None:
    head = b"\x0f\x00\x0a\x00" + (framing.MAX_PAYLOAD + 1).to_bytes(4, "little") + bytes(6)
    with pytest.raises(FramingError, match="the maximum is"):
        list(ChunkReader().receive(head))
