"""How connections are used: kept, closed, shared by requests sent ahead; and how HTTP/1.0 is spoken."""

from collections.abc import Callable
from urllib.parse import quote

import pytest

from support.gates import Gate
from support.raw_http import Broken, Client, plain

MakeGate = Callable[[str], Gate]


def old(target: str, *headers: str, method: str = "GET") -> bytes:
    """A request of HTTP/1.0, which needs no Host."""
    lines = [f"{method} {target} HTTP/1.0", *headers]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


# Keeping and closing


def test_a_connection_serves_many_requests(url: str) -> None:
    with Client(url) as client:
        answers = [client.request(f"/e/lab/saw/{number}") for number in range(50)]
    assert [answer.json()["values"]["rest"] for answer in answers] == [str(number) for number in range(50)]
    assert not any(answer.closes for answer in answers)


@pytest.mark.parametrize("target", ["/e/lab/saw", "/e/lab/answer/iterator", "/e/lab/none", "/e/lab"])
def test_a_client_that_wants_to_close_is_closed(url: str, target: str) -> None:
    with Client(url) as client:
        answer = client.request(target, "Connection: close")
        assert answer.closes
        assert client.ends()


def test_errors_do_not_cost_the_connection(url: str) -> None:
    targets = ["/e/lab/none", "/nowhere", "/e/lab/failure/exception", "/e/lab/failure/str", "/e/lab"]
    with Client(url) as client:
        for target in targets:
            assert not client.request(target).closes
            assert not client.request(target, method="POST", body=b"a body" * 1000).closes
        assert client.request("/e/lab/saw").status == 200


def test_white_space_before_a_request_is_forgiven(url: str) -> None:
    with Client(url) as client:
        client.send(b"\r\n\r\n", plain("/e/lab/saw"))
        assert client.read().status == 200


def test_an_upgrade_that_nobody_offers_is_passed_over(url: str) -> None:
    upgrade = ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: eA=="]
    with Client(url) as client:
        answer = client.request("/e/lab/saw", *upgrade)
        assert answer.status == 200
        assert answer.json()["environ"]["HTTP_UPGRADE"] == "websocket"
    with Client(url) as client:
        assert client.request("/e/lab/saw", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c").status == 200


# Requests sent ahead


def test_requests_sent_ahead_are_answered_in_order(url: str, make_gate: MakeGate) -> None:
    """Twenty at once; the slow ones wait for the test, which is far ahead of them."""
    gate = make_gate("gate")
    slow = f"/e/lab/stream/waiting?gate={quote(str(gate.path))}"
    targets = [slow if number % 5 == 1 else f"/e/lab/saw/{number}" for number in range(20)]
    with Client(url) as client:
        client.send(*(plain(target) for target in targets))
        assert client.read().json()["values"]["rest"] == "0"
        gate.open(times=targets.count(slow))
        for number, target in enumerate(targets[1:], 1):
            answer = client.read()
            assert answer.body == b"passed" if target is slow else answer.json()["values"]["rest"] == str(number)


def test_requests_with_bodies_may_be_sent_ahead(url: str) -> None:
    with Client(url) as client:
        for number in range(10):
            if number % 2:
                client.send(plain("/e/lab/saw", method="POST", body=b"%d" % number * 50_000))
            else:
                client.send(
                    plain("/e/lab/saw", "Transfer-Encoding: chunked", method="POST"), b"1\r\n%d\r\n0\r\n\r\n" % number
                )
        for number in range(10):
            assert client.read().json()["body"] == str(number) * (50_000 if number % 2 else 1)


def test_what_is_sent_behind_a_closing_request_is_not_served(url: str) -> None:
    name = "behind-close"
    with Client(url) as client:
        client.send(plain("/e/lab/saw", "Connection: close"), plain(f"/e/lab/hits/{name}"))
        assert client.read().closes
        assert client.ends()
        assert client_hits(url, name) == 0


def client_hits(url: str, name: str) -> int:
    with Client(url) as client:
        return int(client.request("/e/lab/hits").json().get(name, 0))


# HTTP/1.0


@pytest.mark.parametrize("target", ["/e/lab/answer/iterator", "/e/lab/answer/class", "/e/lab/answer/nothing-yielded"])
def test_an_old_client_gets_no_chunks_but_the_end_of_the_connection(url: str, target: str) -> None:
    with Client(url) as client:
        client.send(old(target))
        answer = client.read()
    assert answer.status == 200
    assert (answer.one("transfer-encoding"), answer.length, answer.closes) == (None, None, True)
    with Client(url) as client:
        assert client.request(target).body == answer.body


def test_an_old_client_gets_a_length_where_there_is_one(url: str) -> None:
    with Client(url) as client:
        client.send(old("/e/lab/answer/large"))
        answer = client.read()
        assert (len(answer.body), answer.length, answer.closes) == (256 * 8192, 256 * 8192, True)
        assert client.ends()


def test_an_old_client_needs_no_host(url: str) -> None:
    with Client(url) as client:
        client.send(old("/e/lab/saw"))
        saw = client.read().json()
    assert "HTTP_HOST" not in saw["environ"]
    assert saw["environ"]["SERVER_PROTOCOL"] == "HTTP/1.0"


def test_an_old_client_gets_errors_too(url: str) -> None:
    for target, code in [("/e/lab/none", "interface_unknown"), ("/e/lab/failure/exception", "plugin_exception")]:
        with Client(url) as client:
            client.send(old(target))
            answer = client.read()
            assert (answer.code, answer.closes) == (code, True)
            assert client.ends()


def test_an_old_client_may_send_a_body(url: str) -> None:
    with Client(url) as client:
        client.send(old("/e/lab/saw", "Content-Length: 5", method="POST"), b"hello")
        assert client.read().json()["body"] == "hello"


def test_an_old_clients_stream_arrives_piece_by_piece(url: str, make_gate: MakeGate) -> None:
    gate = make_gate("gate")
    with Client(url) as client:
        client.send(old(f"/e/lab/stream/gated?gate={quote(str(gate.path))}"))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        gate.open(times=2)
        assert b"".join(pieces) == b"secondthird"


def test_an_old_clients_stream_that_fails_does_not_end_as_if_whole(url: str, make_gate: MakeGate) -> None:
    gate = make_gate("gate")
    with Client(url) as client:
        client.send(old(f"/e/lab/stream/failing?gate={quote(str(gate.path))}"))
        pieces = client.pieces(client.read_head())
        assert next(pieces) == b"first"
        gate.open()
        # To this client a plain end of the connection would be the end of the answer.
        with pytest.raises(Broken):
            list(pieces)
