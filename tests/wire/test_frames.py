"""Bytes to messages and back: every message, every value, every way the bytes may be delivered, every limit."""

import os
from itertools import pairwise
from typing import Any, get_type_hints
from uuid import UUID

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from endpointd_wire.errors import LocalWireError, RemoteWireError
from endpointd_wire.frames import MAX_FRAME, MAX_PIECE, FrameReader, decode, encode, pack_value, unpack_value
from endpointd_wire.messages import MESSAGE_TYPES, NUMBERS, Data, End, Headers, Load, Log, Message, Ping, Pong, Request
from support.connection_pair import HELLO, a_request, frame_of
from support.processes import resident

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT | st.binary(max_size=20)
CONVERTED = st.uuids() | st.integers(-(10**200), 10**200) | st.floats(allow_nan=False) | TEXT
"""What werkzeug's converters make of a path."""
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    bool: st.booleans(),
    bytes: st.binary(max_size=100),
    int: st.integers(-(2**70), 2**70),
    str: TEXT,
    tuple[str, int]: st.tuples(TEXT, st.integers(0, 2**16)),
    tuple[str, ...]: st.lists(TEXT, max_size=3).map(tuple),
    tuple[tuple[str, str], ...]: st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    Headers: st.lists(st.tuples(st.binary(max_size=20), st.binary(max_size=20)), max_size=3).map(tuple),
    tuple[dict[str, Any], ...]: st.lists(st.dictionaries(TEXT, PLAIN, max_size=3), max_size=3).map(tuple),
    dict[str, Any]: st.dictionaries(TEXT, PLAIN | CONVERTED, max_size=3),
}


def messages_of(kind: type[Message]) -> st.SearchStrategy[Message]:
    return st.builds(kind, *(VALUES[hint] for hint in get_type_hints(kind).values()))


MESSAGES = st.sampled_from(MESSAGE_TYPES).flatmap(messages_of)


def assert_same(received: list[Message], sent: list[Message]) -> None:
    assert received == sent
    assert [type(message) for message in received] == [type(message) for message in sent]


def feed_in_pieces(data: bytes, size: int) -> list[Message]:
    reader = FrameReader()
    return [message for start in range(0, len(data), size) for message in reader.feed(data[start : start + size])]


@pytest.mark.parametrize("kind", MESSAGE_TYPES)
@given(data=st.data())
def test_every_message_round_trips(kind: type[Message], data: st.DataObject) -> None:
    message = data.draw(messages_of(kind))
    assert_same(FrameReader().feed(frame_of(message)), [message])


def test_a_reader_takes_the_memory_of_what_it_has_read() -> None:
    """One is in every worker, and for every worker in the host; most never read more than a page at once."""
    before = resident(os.getpid())
    readers = [FrameReader() for _ in range(50)]
    for reader in readers:
        assert_same(reader.feed(frame_of(HELLO)), [HELLO])
    assert resident(os.getpid()) - before < len(readers) * MAX_PIECE // 4


def test_every_message_has_its_own_number() -> None:
    assert sorted(NUMBERS.values()) == list(range(len(MESSAGE_TYPES)))
    assert all(MESSAGE_TYPES[number] is kind for kind, number in NUMBERS.items())


# Delivery


CONVERSATION: list[Message] = [HELLO, Ping(1), Data(3, End.MORE, b"x" * 5000), a_request(1, body=b"body"), Pong(1)]
BYTES = b"".join(map(frame_of, CONVERSATION))


def test_bytes_may_come_one_by_one() -> None:
    assert_same(feed_in_pieces(BYTES, 1), CONVERSATION)


def test_bytes_may_be_cut_anywhere() -> None:
    for cut in range(len(BYTES) + 1):
        reader = FrameReader()
        assert_same(reader.feed(BYTES[:cut]) + reader.feed(BYTES[cut:]), CONVERSATION)


def test_a_message_comes_as_soon_as_its_last_byte() -> None:
    whole = frame_of(HELLO)
    for tail in (b"", b"\x00", frame_of(Ping(2))[:-1]):
        reader = FrameReader()
        assert reader.feed(whole[:-1]) == []
        assert_same(reader.feed(whole[-1:] + tail), [HELLO])


@given(sent=st.lists(MESSAGES, max_size=5), cuts=st.lists(st.integers(0, 2000), max_size=8))
def test_messages_do_not_depend_on_how_their_bytes_are_delivered(sent: list[Message], cuts: list[int]) -> None:
    data = b"".join(map(frame_of, sent))
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    reader, received = FrameReader(), []
    for start, end in pairwise(places):
        received += reader.feed(data[start:end])
    assert_same(received, sent)


@pytest.mark.parametrize("size", [100_003, 262_147, MAX_PIECE, 1_000_003])
def test_more_than_the_buffer_holds_passes_through_it(size: int) -> None:
    sent: list[Message] = [
        Data(number, End.MORE, bytes([number]) * (MAX_PIECE - 1000 * number)) for number in range(40)
    ]
    assert_same(feed_in_pieces(b"".join(map(frame_of, sent)), size), sent)


@given(st.lists(st.integers(1, MAX_FRAME + MAX_PIECE), max_size=20))
def test_there_is_always_room_for_what_a_system_call_may_bring(sizes: list[int]) -> None:
    data = frame_of(largest_frame()) * 4
    reader, received = FrameReader(), 0
    for size in sizes:
        room = reader.get_buffer()
        assert len(room) >= MAX_PIECE
        piece = data[: min(size, len(room))]
        room[: len(piece)] = piece
        received += len(reader.received(len(piece)))
        data = data[len(piece) :]
    assert received == 4 - -(-len(data) // (4 + MAX_FRAME))


# Values


@given(CONVERTED)
@example(2**64)
@example(-(2**63) - 1)
@example(UUID(int=0))
def test_what_converters_make_arrives_with_its_type(value: object) -> None:
    request = a_request(1)._replace(values={"key": value})
    (received,) = FrameReader().feed(frame_of(request))
    assert isinstance(received, Request)
    assert received.values == {"key": value}
    assert type(received.values["key"]) is type(value)


@given(st.recursive(PLAIN | CONVERTED, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=10))
def test_settings_arrive_as_they_were(value: object) -> None:
    assert unpack_value(pack_value(value)) == value


def test_a_value_without_an_encoding_is_refused_at_home() -> None:
    with pytest.raises(LocalWireError, match=r"cannot encode Request: no encoding for set"):
        encode(a_request(1)._replace(values={"key": {1}}))
    with pytest.raises(LocalWireError, match=r"cannot encode Log: .*surrogates"):
        encode(Log(20, "duck", "\ud800", ""))


def test_a_number_that_python_cannot_write_down_does_not_travel() -> None:
    with pytest.raises(LocalWireError, match="cannot encode Request: an integer of"):
        encode(a_request(1)._replace(values={"key": 1 << 20_000}))


# Large data


@given(size=st.sampled_from([0, 1, 255, 256, 4095, 4096, 4097, 65_535, 65_536, MAX_PIECE]), end=st.sampled_from(End))
def test_a_large_body_is_framed_as_a_small_one(size: int, end: End) -> None:
    message = Data(2**40, end, b"\xc4" * size)
    frame = frame_of(message)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    assert msgpack.unpackb(frame[4:]) == [NUMBERS[Data], *message]
    assert_same([decode(frame[4:])], [message])


def test_a_large_body_is_not_copied() -> None:
    body = bytes(MAX_PIECE)
    assert encode(Data(1, End.MORE, body))[-1] is body


# Limits


def largest_frame() -> Data:
    return Data(1, End.MORE, bytes(MAX_FRAME - len(frame_of(Data(1, End.MORE, bytes(MAX_PIECE)))) + 4 + MAX_PIECE))


def test_the_largest_frame_passes_and_one_byte_more_does_not() -> None:
    largest = largest_frame()
    frame = frame_of(largest)
    assert len(frame) == 4 + MAX_FRAME
    assert FrameReader().feed(frame) == [largest]
    with pytest.raises(LocalWireError, match=f"larger than the maximum of {MAX_FRAME}"):
        encode(largest._replace(body=largest.body + b"x"))
    with pytest.raises(LocalWireError, match=f"larger than the maximum of {MAX_FRAME}"):
        encode(Load("x" * MAX_FRAME, (), 1, False))


@pytest.mark.parametrize("delivery", [1, 3, 100])
def test_a_frame_that_is_too_large_is_refused_by_its_length_alone(delivery: int) -> None:
    data = (MAX_FRAME + 1).to_bytes(4, "big") + b"HTTP/1.1 400 Bad Request"
    with pytest.raises(RemoteWireError, match=f"announces {MAX_FRAME + 1} bytes") as caught:
        feed_in_pieces(data, delivery)
    assert data.startswith(caught.value.excerpt)
    assert len(caught.value.excerpt) >= 4


# What is no message


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\x90"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not msgpack"),
        (b"\xc1", "not msgpack"),
        (b"\x92\x0b", "not msgpack"),
        (b"\x92\x0b\x01\x02", "not msgpack"),
        (b"\x94\x00\x01\x02\xa1\xff", "not msgpack"),
        (nested(100_000), "not msgpack"),
        (nested(1000), "begins with a tuple"),
        (b"\x91\xc7\x01\x63\x00", "not msgpack: unknown extension type 99"),
        (b"\x91\xc7\x01\x02\x00", "not msgpack"),
        (b"\x91" + msgpack.packb(msgpack.ExtType(1, bytes(2000) + b"\x01")), "not msgpack: an integer of"),
        (b"\x91\x81\x80\x00", "not msgpack"),
        (b"\x91\x81\x90\x00", "begins with a dict"),
        (b"\x0b", "not an array"),
        (b"\x90", "not an array"),
        (b"\x80", "not an array"),
        (b"\x91\xa1x", "begins with a str"),
        (b"\x91\xc3", "begins with a bool"),
        (b"\x91\xff", "-1 is not the number"),
        (b"\x91\x63", "99 is not the number"),
        (b"\x91\x0b", "wrong fields for Ping"),
        (b"\x93\x0b\x01\x02", "wrong fields for Ping"),
        (b"\x92\x0b\xc3", "wrong fields for Ping"),
        (b"\x92\x0b\xcb\x00\x00\x00\x00\x00\x00\x00\x00", "wrong fields for Ping"),
    ],
)
def test_what_is_no_message_is_the_one_error(payload: bytes, reason: str) -> None:
    with pytest.raises(RemoteWireError, match=reason) as caught:
        FrameReader().feed(len(payload).to_bytes(4, "big") + payload)
    assert caught.value.excerpt == payload[: RemoteWireError.EXCERPT_SIZE]
    assert not payload or repr(payload[:8])[2:-1] in str(caught.value)
