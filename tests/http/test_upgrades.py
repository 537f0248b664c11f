"""A request that asks for another protocol is one like any other: it may have a body, and others may follow it."""

import shutil
import subprocess

import pytest

from endpointd.testing import RunningDaemon
from support.raw_http import Client, ask, chunked, plain

H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
"""What curl's `--http2` and Java's client say."""

CHUNKED = "Transfer-Encoding: chunked"
LARGE = b"0123456789" * 100_000

BODIES = {
    "none": ([], b"", b""),
    "length 0": (["Content-Length: 0"], b"", b""),
    "length": (["Content-Length: 5"], b"hello", b"hello"),
    "chunks": ([CHUNKED], chunked(b"hel", b"lo"), b"hello"),
    "chunks and a trailer": ([CHUNKED], b"5\r\nhello\r\n0\r\nX-Trailer: yes\r\n\r\n", b"hello"),
}


@pytest.mark.parametrize("bytewise", [False, True], ids=["at once", "bytewise"])
@pytest.mark.parametrize("name", BODIES)
def test_its_body_arrives_and_the_requests_behind_it_are_answered(url: str, name: str, bytewise: bool) -> None:
    headers, sent, body = BODIES[name]
    asking = plain("/e/lab/saw/1", *H2C, *headers, method="POST") + sent
    requests = asking + plain("/e/lab/saw/2") + asking + plain("/e/lab/saw/3", method="POST", body=b"last")
    with Client(url) as client:
        (client.send_bytewise if bytewise else client.send)(requests)
        saw = [client.read().json() for _ in range(4)]
        assert client.request("/e/lab/saw").status == 200
    assert [each["values"]["rest"] for each in saw] == ["1", "2", "1", "3"]
    assert [each["body"].encode() for each in saw] == [body, b"", body, b"last"]
    assert [each["environ"].get("HTTP_UPGRADE") for each in saw] == ["h2c", None, "h2c", None]


def test_a_large_body_arrives_whole(url: str) -> None:
    assert ask(url, "/e/lab/saw", *H2C, method="POST", body=LARGE).json()["body"].encode() == LARGE


def test_its_body_may_wait_to_be_asked_for(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/saw", *H2C, "Expect: 100-continue", "Content-Length: 5", method="POST"))
        assert client.read_interim() == 100
        client.send(b"hello")
        assert client.read().json()["body"] == "hello"


def test_its_body_may_come_after_the_answer(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/none", *H2C, CHUNKED, method="POST"))
        assert client.read().code == "interface_unknown"
        client.send(chunked(b"hello"), plain("/e/lab/saw/after"))
        assert client.read().json()["values"] == {"rest": "after"}


def test_a_body_that_is_none_is_refused(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/saw", *H2C, CHUNKED, method="POST"), b"ZZ\r\n")
        answer = client.read()
        assert (answer.code, answer.closes) == ("request_malformed", True)
        assert client.ends()


def test_a_tunnel_is_refused_and_nothing_in_it_is_served(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/hits/tunnel", method="CONNECT"), plain("/e/lab/hits/tunnel"))
        answer = client.read()
        assert (answer.status, answer.closes) == (405, True)
        assert client.ends()
    with Client(url) as client:
        assert "tunnel" not in client.request("/e/lab/hits").json()


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
def test_curl_that_would_like_http_2_sends_a_body(daemon: RunningDaemon) -> None:
    command = ["curl", "--silent", "--http2", "--data", "hello", f"{daemon.url}/e/lab/saw"]
    ended = subprocess.run(command, capture_output=True, check=True, timeout=20)
    assert b'"body": "hello"' in ended.stdout
