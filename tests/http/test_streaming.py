"""Bodies that are made while they are sent: each piece is delivered at once, and each response is closed once."""

from collections.abc import Callable
from urllib.parse import urlencode

import pytest

from support.gates import Gate
from support.raw_http import Broken, Client, ask, plain

MakeGate = Callable[[str], Gate]


def stream(name: str, **gates: Gate | int) -> str:
    """The target of a stream. A gate is handed over as the path of its FIFO."""
    words = {key: value.path if isinstance(value, Gate) else value for key, value in gates.items()}
    return f"/e/lab/stream/{name}?{urlencode(words)}"


def test_a_piece_is_delivered_while_the_next_one_is_awaited(url: str, make_gate: MakeGate) -> None:
    gate = make_gate("gate")
    with Client(url) as client:
        client.send(plain(stream("gated", gate=gate)))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        gate.open()
        assert next(pieces) == b"second"
        gate.open()
        assert list(pieces) == [b"third"]
        assert client.request("/e/lab/saw").status == 200


def test_a_piece_of_a_body_with_a_length_is_delivered_too(url: str, make_gate: MakeGate) -> None:
    gate = make_gate("gate")
    with Client(url) as client:
        client.send(plain(stream("gated", gate=gate, length=16)))
        head = client.read_head()
        pieces = client.pieces(head)
        assert (head.length, next(pieces)) == (16, b"first")
        gate.open(times=2)
        assert b"".join(pieces) == b"secondthird"
        assert client.request("/e/lab/saw").status == 200


def test_others_are_answered_meanwhile(url: str, make_gate: MakeGate) -> None:
    gate = make_gate("gate")
    with Client(url) as client:
        client.send(plain(stream("gated", gate=gate)))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        assert [ask(url, "/e/lab/saw").status for _ in range(5)] == [200] * 5
        gate.open(times=2)
        assert b"".join(pieces) == b"secondthird"


def test_a_large_body_arrives_whole_however_slowly_it_is_read(url: str) -> None:
    size = 20_000_000
    with Client(url, receive_buffer=4096) as client:
        client.send(plain(stream("large", size=size)))
        head = client.read_head()
        assert sum(map(len, client.pieces(head))) == head.length == size


# The end


def test_a_response_is_closed_once_when_it_is_sent(url: str, make_gate: MakeGate) -> None:
    gate, told = make_gate("gate"), make_gate("told")
    gate.open(times=3)
    with Client(url) as client:
        assert client.request(stream("gated", gate=gate, told=told)).status == 200
        assert told.wait() == b"c"
        assert client.request(stream("waiting", gate=gate, told=told)).body == b"passed"
    assert told.wait() == b"c"
    # The requests below run through the same worker, behind the ends of those above.
    assert ask(url, "/e/lab/saw").status == 200
    assert told.is_silent()


@pytest.mark.parametrize("leave", [Client.close, Client.reset])
def test_a_response_is_closed_once_when_the_client_goes(
    url: str, make_gate: MakeGate, leave: Callable[[Client], None]
) -> None:
    told, ended = make_gate("told"), make_gate("ended")
    with Client(url) as client:
        client.send(plain(stream("endless", told=told, ended=ended)))
        next(client.pieces(client.read_head()))
        leave(client)
    assert ended.wait() == b"g"
    assert told.wait() == b"c"
    assert ask(url, "/e/lab/saw").status == 200
    assert told.is_silent()
    assert ended.is_silent()


def test_a_response_is_closed_when_it_fails(url: str, make_gate: MakeGate) -> None:
    gate, told = make_gate("gate"), make_gate("told")
    with Client(url) as client:
        client.send(plain(stream("failing", gate=gate, told=told)))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        gate.open()
        with pytest.raises(Broken):
            list(pieces)
    assert told.wait() == b"c"


def test_a_head_answer_is_closed_as_well(url: str, make_gate: MakeGate) -> None:
    told = make_gate("told")
    with Client(url) as client:
        assert client.request(stream("large", size=10, told=told), method="HEAD").length == 10
    assert told.wait() == b"c"


@pytest.mark.parametrize("length", [{}, {"length": 100}], ids=["chunked", "length"])
def test_a_stream_that_fails_never_ends_as_if_it_were_whole(
    url: str, make_gate: MakeGate, length: dict[str, int]
) -> None:
    gate = make_gate("gate")
    with Client(url) as client:
        client.send(plain(stream("failing", gate=gate, **length)))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        gate.open()
        with pytest.raises(Broken):
            list(pieces)
