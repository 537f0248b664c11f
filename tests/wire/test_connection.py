"""The rules of streams and of flow control, each kept by both ends: refused where it is said and where it is heard."""

import pytest

from endpointd_wire.connection import Connection, Role
from endpointd_wire.errors import LocalWireError, RemoteWireError
from endpointd_wire.flow import WINDOW
from endpointd_wire.frames import MAX_FRAME, MAX_PIECE
from endpointd_wire.messages import (
    Cancel,
    Closed,
    Credit,
    Data,
    Drain,
    Drained,
    End,
    Failed,
    Message,
    Ping,
    Pong,
    Request,
    Response,
)
from endpointd_wire.states import Phase
from support.connection_pair import ConnectionPair, a_request, frame_of

HEAD = Response(1, 200, ((b"Content-Type", b"text/plain"),), End.MORE, b"")


@pytest.fixture
def pair() -> ConnectionPair:
    """Both ends, with stream 1 open in both directions."""
    pair = ConnectionPair.opened()
    pair.host_says(a_request(1, End.MORE))
    pair.worker_says(HEAD)
    return pair


def pieces(size: int) -> list[Message]:
    """`size` bytes of body on stream 1."""
    sizes = [MAX_PIECE] * (size // MAX_PIECE) + ([size % MAX_PIECE] if size % MAX_PIECE else [])
    return [Data(1, End.MORE, bytes(piece)) for piece in sizes]


def refuse_at_home(connection: Connection, message: Message, reason: str) -> None:
    before = repr(connection), connection.window(1)
    with pytest.raises(LocalWireError, match=reason):
        connection.send(message)
    assert (repr(connection), connection.window(1)) == before


def refuse_from_peer(connection: Connection, message: Message, reason: str) -> None:
    with pytest.raises(RemoteWireError, match=reason):
        connection.receive(frame_of(message))


# The whole of it


def test_a_conversation_from_hello_to_drained() -> None:
    pair = ConnectionPair.opened()
    assert pair.host.next_stream() == 1
    request = a_request(1, End.MORE, b"first ")
    assert pair.host_says(request, Data(1, End.BODY, b"last")) == [request, Data(1, End.BODY, b"last")]
    answer: list[Message] = [HEAD, Data(1, End.MORE, b"one"), Data(1, End.BODY, b""), Closed(1)]
    assert pair.worker_says(*answer) == answer
    assert pair.host_says(Ping(7)) == [Ping(7)]
    assert pair.worker_says(Pong(7)) == [Pong(7)]
    pair.host_says(Drain())
    pair.worker_says(Drained())
    assert repr(pair.host) == "<Connection host: ended, 0 streams>"


def test_a_connection_tells_where_it_stands(pair: ConnectionPair) -> None:
    assert repr(pair.worker) == "<Connection worker: open, 1 streams>"
    assert (pair.host.is_open(1), pair.host.is_open(2), pair.host.open_streams) == (True, False, 1)


# Streams


def test_a_stream_id_is_never_used_again(pair: ConnectionPair) -> None:
    pair.worker_says(Data(1, End.STREAM, b""))
    assert pair.host.next_stream() == 2
    refuse_at_home(pair.host, a_request(1), "stream 1 was used before")
    refuse_from_peer(pair.worker, a_request(1), "stream 1 was used before")


@pytest.mark.parametrize("stream", [0, -1])
def test_a_stream_has_a_positive_id(stream: int) -> None:
    pair = ConnectionPair.opened()
    refuse_at_home(pair.host, a_request(stream), "was used before")
    refuse_from_peer(pair.worker, a_request(stream), "was used before")


def test_a_stream_that_was_skipped_is_over() -> None:
    pair = ConnectionPair.opened()
    pair.host_says(a_request(5))
    assert pair.host.receive(frame_of(Failed(3, "exception", ""))) == []
    refuse_at_home(pair.host, a_request(4), "stream 4 was used before")


@pytest.mark.parametrize(
    "message", [HEAD, Data(1, End.MORE, b""), Credit(1, 1), Closed(1), Failed(1, "exception", "")], ids=repr
)
@pytest.mark.parametrize("stream", [2, 0, -1, 2**64])
def test_a_frame_for_a_stream_that_never_was_is_refused(pair: ConnectionPair, message: Message, stream: int) -> None:
    assert not isinstance(message, Ping)
    refuse_from_peer(pair.host, message._replace(stream=stream), f"for stream {stream}, which never was")  # type: ignore[call-arg]


def test_frames_for_a_stream_that_is_over_are_dropped(pair: ConnectionPair) -> None:
    pair.worker_says(Data(1, End.MORE, b"x"))
    late: list[Message] = [Cancel(1, "client gone"), Credit(1, 1), Data(1, End.MORE, b"late"), Data(1, End.BODY, b"")]
    data = b"".join(buffer for message in late for buffer in pair.host.send(message))
    pair.worker.send(Failed(1, "exception", ""))
    assert pair.worker.receive(data) == []
    assert not pair.worker.is_open(1)


def test_nothing_is_said_on_a_stream_that_is_over(pair: ConnectionPair) -> None:
    pair.worker_says(Data(1, End.STREAM, b""))
    assert pair.worker.send(Data(1, End.MORE, b"more")) == []
    assert pair.worker.send(Closed(1)) == []
    assert pair.host.send(Cancel(1, "too late")) == []
    assert pair.host.window(1) == pair.worker.window(1) == 0


def test_an_answer_reaches_no_other_request() -> None:
    pair = ConnectionPair.opened()
    pair.host_says(a_request(1), a_request(2))
    answers: list[Message] = [
        Response(2, 200, (), End.STREAM, b"second"),
        Response(1, 200, (), End.STREAM, b"first"),
    ]
    assert pair.worker_says(*answers) == answers


# Cancelling


def test_what_was_under_way_when_the_host_cancelled_is_not_heard(pair: ConnectionPair) -> None:
    under_way = b"".join(pair.worker.send(Data(1, End.MORE, b"under way")))
    cancel = b"".join(pair.host.send(Cancel(1, "client gone")))
    assert pair.host.receive(under_way) == []
    assert pair.worker.receive(cancel) == [Cancel(1, "client gone")]
    assert pair.worker_says(Data(1, End.MORE, b"")) == []
    assert pair.worker_says(Closed(1)) == [Closed(1)]


def test_a_cancel_that_crosses_the_end_does_no_harm(pair: ConnectionPair) -> None:
    end = b"".join(pair.worker.send(Data(1, End.STREAM, b"end")))
    cancel = b"".join(pair.host.send(Cancel(1, "client gone")))
    assert pair.host.receive(end) == [Data(1, End.STREAM, b"end")]
    assert pair.worker.receive(cancel) == []
    pair.check()


def test_a_cancelled_stream_counts_its_bytes_all_the_same(pair: ConnectionPair) -> None:
    pair.host_says(Cancel(1, "client gone"))
    pair.worker_says(*pieces(WINDOW))
    refuse_from_peer(pair.host, Data(1, End.MORE, b"x"), "more than the window of 0")


# Windows


@pytest.mark.parametrize("by_host", [True, False])
def test_a_window_is_as_large_as_it_says_and_no_larger(pair: ConnectionPair, by_host: bool) -> None:
    speaker, listener = (pair.host, pair.worker) if by_host else (pair.worker, pair.host)
    say = pair.host_says if by_host else pair.worker_says
    assert speaker.window(1) == WINDOW
    say(*pieces(WINDOW - 1))
    assert speaker.window(1) == 1
    refuse_at_home(speaker, Data(1, End.MORE, b"xx"), "2 bytes of body are more than the window of 1")
    say(Data(1, End.MORE, b"x"))
    assert speaker.window(1) == 0
    say(Data(1, End.MORE, b""))
    refuse_from_peer(listener, Data(1, End.MORE, b"x"), "1 bytes of body are more than the window of 0")


@pytest.mark.parametrize("by_host", [True, False])
def test_a_credit_opens_the_window_by_as_much(pair: ConnectionPair, by_host: bool) -> None:
    speaker, listener = (pair.host, pair.worker) if by_host else (pair.worker, pair.host)
    say, answer = (pair.host_says, pair.worker_says) if by_host else (pair.worker_says, pair.host_says)
    say(*pieces(1000))
    refuse_at_home(listener, Credit(1, 1001), "a credit of 1001 bytes on top of")
    answer(Credit(1, 600))
    assert speaker.window(1) == WINDOW - 400
    answer(Credit(1, 400))
    assert speaker.window(1) == WINDOW
    refuse_from_peer(speaker, Credit(1, 1), f"a credit of 1 bytes on top of {WINDOW} is more than was used")


@pytest.mark.parametrize("size", [0, -1])
def test_a_credit_is_of_something(pair: ConnectionPair, size: int) -> None:
    pair.host_says(*pieces(1000))
    refuse_at_home(pair.worker, Credit(1, size), f"a credit of {size}")
    refuse_from_peer(pair.host, Credit(1, size), f"a credit of {size}")


def test_each_stream_has_windows_of_its_own(pair: ConnectionPair) -> None:
    pair.host_says(a_request(2, End.MORE))
    pair.host_says(*pieces(WINDOW))
    assert (pair.host.window(1), pair.host.window(2)) == (0, WINDOW)
    assert pair.worker.window(1) == pair.worker.window(2) == WINDOW


def test_the_first_piece_counts_as_any_other() -> None:
    pair = ConnectionPair.opened()
    pair.host_says(a_request(1, End.MORE, bytes(1000)))
    assert pair.host.window(1) == WINDOW - 1000
    pair.worker_says(HEAD._replace(body=bytes(2000)))
    assert pair.worker.window(1) == WINDOW - 2000


@pytest.mark.parametrize(
    "message", [a_request(2, End.MORE, bytes(MAX_PIECE + 1)), Data(1, End.MORE, bytes(MAX_PIECE + 1))], ids=type
)
def test_a_piece_has_a_largest_size(pair: ConnectionPair, message: Message) -> None:
    refuse_at_home(pair.host, message, f"or a piece of {MAX_PIECE}")
    refuse_from_peer(pair.worker, message, f"or a piece of {MAX_PIECE}")


# Poison


def test_a_connection_that_was_broken_stays_so(pair: ConnectionPair) -> None:
    with pytest.raises(RemoteWireError) as first:
        pair.host.receive(b"Traceback (most recent call last):\n")
    assert first.value.excerpt.startswith(b"Traceback")
    assert "the frame begins with b'Traceback" in str(first.value)
    with pytest.raises(RemoteWireError) as second:
        pair.host.receive(frame_of(Pong(1)))
    assert second.value is first.value
    with pytest.raises(LocalWireError, match=f"the connection is over: a frame announces .* maximum is {MAX_FRAME}"):
        pair.host.send(Ping(1))


def test_an_excerpt_is_short() -> None:
    error = RemoteWireError("reason", bytes(1000))
    assert len(error.excerpt) == RemoteWireError.EXCERPT_SIZE
    assert str(RemoteWireError("reason")) == "reason"


def test_what_cannot_be_encoded_changes_nothing() -> None:
    pair = ConnectionPair.opened()
    request = a_request(1)
    with pytest.raises(LocalWireError):
        pair.host.send(request._replace(values={"key": object()}))
    assert pair.host.next_stream() == 1
    assert isinstance(pair.host_says(request)[0], Request)


def test_a_new_connection_has_said_nothing() -> None:
    assert Connection(Role.HOST).phase is Phase.NEW
