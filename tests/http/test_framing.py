"""A body that does not fit its Content-Length never spoils what follows it on the connection."""

from collections.abc import Callable

import pytest

from endpointd.testing import RunningDaemon
from support.gates import Gate
from support.raw_http import Broken, Client, plain

AFTER = plain("/e/lab/saw/after")


def answer_and_next(url: str, query: str) -> tuple[int | None, bytes, bool]:
    """The status and body of the answer, and whether the next one on the connection came.

    A status of None: the connection was broken within the answer.
    """
    with Client(url) as client:
        client.send(plain(f"/e/lab/answer/headers?{query}"), AFTER)
        try:
            answer = client.read()
        except Broken:
            return None, b"", False
        try:
            following = client.read()
        except Broken:
            return answer.status, answer.body, False
    assert following.json()["values"] == {"rest": "after"}
    return answer.status, answer.body, True


@pytest.mark.parametrize("kind", ["whole", "stream"])
def test_a_right_length_is_kept(url: str, kind: str) -> None:
    with Client(url) as client:
        answer = client.request(f"/e/lab/answer/headers?Content-Length=10&as={kind}")
    assert (answer.length, answer.chunks, answer.body) == (10, None, b"0123456789")


@pytest.mark.parametrize("length", ["0", "5", "9"])
@pytest.mark.parametrize("kind", ["whole", "stream"])
def test_a_body_that_is_too_long_is_cut_or_refused(url: str, length: str, kind: str) -> None:
    for _ in range(5):
        status, body, is_next = answer_and_next(url, f"Content-Length={length}&as={kind}")
        if status == 200:
            assert body == b"0123456789"[: int(length)]
        else:
            assert status in (500, None)
        assert is_next or status is None


@pytest.mark.parametrize("length", ["11", "12000", "999999999999999999"])
@pytest.mark.parametrize("kind", ["whole", "stream"])
def test_a_body_that_is_too_short_is_refused_or_broken_off(url: str, length: str, kind: str) -> None:
    for _ in range(5):
        status, _, is_next = answer_and_next(url, f"Content-Length={length}&as={kind}")
        assert (status, is_next) in ((500, True), (None, False))


def test_a_stream_that_becomes_too_long_is_cut(daemon: RunningDaemon, make_gate: Callable[[str], Gate]) -> None:
    """Its head has left, so that it cannot be refused any more."""
    gate = make_gate("gate")
    with Client(daemon.url) as client:
        client.send(plain(f"/e/lab/stream/gated?length=7&gate={gate.path}"), AFTER)
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        gate.open(times=2)
        assert b"".join(pieces) == b"se"
        assert client.read().json()["values"] == {"rest": "after"}
    daemon.wait_for_log('"event": "response.too_long"')


def test_a_stream_that_never_ends_is_ended_at_its_length(
    daemon: RunningDaemon, make_gate: Callable[[str], Gate]
) -> None:
    ended = make_gate("ended")
    logged = daemon.log().count('"event": "response.too_long"')
    with Client(daemon.url) as client:
        client.send(plain(f"/e/lab/stream/endless?length=5000&ended={ended.path}"), AFTER)
        assert client.read().body == b"." * 5000
        assert client.read().json()["values"] == {"rest": "after"}
    assert ended.wait() == b"g"
    assert daemon.log().count('"event": "response.too_long"') == logged + 1


def test_a_stream_that_stays_too_short_is_broken_off(daemon: RunningDaemon, make_gate: Callable[[str], Gate]) -> None:
    gate = make_gate("gate")
    with Client(daemon.url) as client:
        client.send(plain(f"/e/lab/stream/gated?length=100&gate={gate.path}"), AFTER)
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        gate.open(times=2)
        with pytest.raises(Broken):
            list(pieces)
    daemon.wait_for_log("the body ended 84 bytes before its Content-Length")


LENGTHS = ["-1", "%2B10", "0x0a", "1e1", "10,10", "%20", "ten", "10%20", "1" * 30, "%D9%A1%D9%A0"]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("kind", ["whole", "stream"])
def test_a_length_that_is_none_is_refused(url: str, length: str, kind: str) -> None:
    status, _, is_next = answer_and_next(url, f"Content-Length={length}&as={kind}")
    assert (status, is_next) == (500, True)


def test_lengths_that_differ_are_refused_and_those_that_agree_are_one(url: str) -> None:
    status, _, is_next = answer_and_next(url, "Content-Length=10&Content-Length=11&as=stream")
    assert (status, is_next) == (500, True)
    with Client(url) as client:
        answer = client.request("/e/lab/answer/headers?Content-Length=10&Content-Length=10&as=stream")
        assert (answer.all("content-length"), answer.body) == (["10"], b"0123456789")


def test_chunking_that_the_plugin_announces_is_not_believed(url: str) -> None:
    status, body, is_next = answer_and_next(url, "Transfer-Encoding=chunked&Content-Length=10&as=stream")
    assert (status, body, is_next) == (200, b"0123456789", True)
