"""Whatever bytes come, there are messages or the one error, and after the error nothing else."""

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpointd_wire.connection import Connection, Role
from endpointd_wire.errors import LocalWireError, RemoteWireError
from endpointd_wire.messages import MESSAGE_TYPES, Drain, End, Log, Message, Ping, Pong, Response
from endpointd_wire.states import Phase
from support.connection_pair import ConnectionPair, a_request, frame_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5) | st.binary(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = VALUES | st.integers(0, 3) | st.binary(max_size=20) | st.text(max_size=10)
FRAMES = st.tuples(st.integers(0, len(MESSAGE_TYPES)), st.lists(FIELDS, max_size=6)).map(
    lambda frame: _framed(msgpack.packb([frame[0], *frame[1]]))
)
"""Frames that are msgpack, and almost messages."""


def _framed(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


def connection(role: Role, phase: Phase) -> Connection:
    """One end of a conversation that has come to `phase`, with streams where there can be some."""
    pair = ConnectionPair()
    pair.reach(phase if phase is not Phase.DRAINING else Phase.OPEN)
    if phase in (Phase.OPEN, Phase.DRAINING):
        pair.host_says(a_request(1, End.MORE, b"body"), a_request(2))
        pair.worker_says(Response(1, 200, (), End.MORE, b"body"))
    if phase is Phase.DRAINING:
        pair.host_says(Drain())
    return pair.host if role is Role.HOST else pair.worker


def heard(receiver: Connection, data: bytes) -> RemoteWireError | None:
    """The error that `data` gives; None when it gives messages."""
    try:
        messages = receiver.receive(data)
    except RemoteWireError as error:
        return error
    assert all(isinstance(message, MESSAGE_TYPES) for message in messages)
    return None


def assert_messages_or_the_one_error(receiver: Connection, deliveries: list[bytes]) -> None:
    results = [heard(receiver, data) for data in deliveries]
    errors = [error for error in results if error is not None]
    if not errors:
        return
    assert all(error is errors[0] for error in results[results.index(errors[0]) :])
    assert str(errors[0])
    with pytest.raises(LocalWireError, match="the connection is over"):
        receiver.send(Ping(1))


@given(
    role=st.sampled_from(Role),
    phase=st.sampled_from(Phase).filter(lambda phase: phase is not Phase.ENDED),
    deliveries=st.lists(st.binary(max_size=200) | FRAMES, min_size=1, max_size=6),
)
def test_any_bytes_are_messages_or_the_one_error(role: Role, phase: Phase, deliveries: list[bytes]) -> None:
    assert_messages_or_the_one_error(connection(role, phase), deliveries)


LEGAL: list[Message] = [Pong(1), Log(20, "duck", "quack", ""), Response(2, 200, ((b"A", b"b"),), End.STREAM, b"body")]


@given(message=st.sampled_from(LEGAL), place=st.integers(0, 100), byte=st.integers(0, 255))
def test_a_message_with_one_wrong_byte_is_a_message_or_the_one_error(message: Message, place: int, byte: int) -> None:
    data = bytearray(frame_of(message))
    data[place % len(data)] = byte
    assert_messages_or_the_one_error(connection(Role.HOST, Phase.OPEN), [bytes(data), frame_of(Pong(2))])


@given(frame=FRAMES)
def test_no_frame_is_heard_after_the_error(frame: bytes) -> None:
    receiver = connection(Role.HOST, Phase.OPEN)
    with pytest.raises(RemoteWireError) as first:
        receiver.receive(b"\xff\xff\xff\xff")
    with pytest.raises(RemoteWireError) as later:
        receiver.receive(frame)
    assert later.value is first.value
