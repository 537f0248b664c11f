"""What is too large is refused with the limit's name, before it costs memory, and with the connection in order."""

import select
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter, RunningDaemon
from support.raw_http import TIMEOUT_SECONDS, Broken, Client, ask, chunked, plain

BODY, HEADER, URI = 100_000, 2_000, 1_000
CHUNKED = "Transfer-Encoding: chunked"


@pytest.fixture(scope="module")
def strict(start: DaemonStarter, plugins: Path) -> RunningDaemon:
    return start(plugins, limit_body=BODY, limit_header=HEADER, limit_uri=URI)


@pytest.fixture(scope="module")
def url(strict: RunningDaemon) -> str:
    return strict.url


def reached(url: str, name: str) -> int:
    return int(ask(url, "/e/lab/hits").json().get(name, 0))


# Bodies


def test_a_body_of_the_limit_is_taken(url: str) -> None:
    body = b"." * BODY
    assert len(ask(url, "/e/lab/saw", method="POST", body=body).json()["body"]) == BODY
    with Client(url) as client:
        client.send(plain("/e/lab/saw", CHUNKED, method="POST"), chunked(body[:60_000], body[60_000:]))
        assert len(client.read().json()["body"]) == BODY


def test_a_body_that_is_announced_as_too_large_is_refused_unread(url: str) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/hits/announced", f"Content-Length: {BODY + 1}", method="POST"))
        answer = client.read()
        assert (answer.status, answer.code) == (413, "limit_body")
        assert str(BODY) in answer.json()["detail"]
        assert answer.json()["plugin"] == "test/lab"
        # The client may send what it has announced; the next request stands behind it.
        client.send(b"." * (BODY + 1), plain("/e/lab/saw/next"))
        assert client.read().json()["values"] == {"rest": "next"}
    assert reached(url, "announced") == 0


@pytest.mark.parametrize("at_once", [True, False])
def test_a_chunked_body_that_becomes_too_large_is_refused_and_never_cut(url: str, at_once: bool) -> None:
    pieces = chunked(*[b"." * 10_000] * (BODY // 10_000), b".")
    with Client(url) as client:
        head = plain("/e/lab/hits/grown", CHUNKED, method="POST")
        if at_once:
            client.send(head, pieces)
        else:
            client.send(head, b"1\r\n.\r\n")
            client.send(pieces)
        answer = client.read()
        assert (answer.status, answer.code) == (413, "limit_body")
        assert client.request("/e/lab/saw/next").json()["values"] == {"rest": "next"}
    assert reached(url, "grown") == 0


def test_a_body_that_never_ends_does_not_hold_the_connection(url: str) -> None:
    piece = chunked(b"." * 10_000)[:-5]
    with Client(url) as client:
        client.send(plain("/e/lab/saw", CHUNKED, method="POST"))
        for _ in range(20):
            client.send(piece)
        assert client.read().code == "limit_body"


# Heads


def too_large(client: Client, *parts: bytes) -> str:
    """The code of the refusal of `parts`. The server takes all of them: who is cut off while sending may never read the
    refusal."""
    for part in parts:
        client.send(part)
    answer = client.read()
    assert answer.closes
    assert client.ends()
    # It is not reset: the daemon goes on reading.
    client.send(b".")
    return answer.code


def test_a_head_of_the_limit_is_taken(url: str) -> None:
    size = HEADER - len("host") - len("daemon.test") - 4 - len("x-a") - 4
    assert ask(url, "/e/lab/saw", f"X-A: {'a' * size}").status == 200
    answer = ask(url, "/e/lab/saw", f"X-A: {'a' * (size + 1)}")
    assert (answer.status, answer.code) == (431, "limit_header")
    assert str(HEADER) in answer.json()["detail"]


HEADS = {
    "one large header": (b"X-A: " + b"a" * HEADER + b"\r\n\r\n",),
    "many headers": (b"X-A: aaaaaaaaaa\r\n" * 200 + b"\r\n",),
    "a header that does not end": (b"X-A: ", *[b"a" * 1000] * 300),
    "a name that does not end": (b"X-", *[b"a" * 1000] * 300),
    "headers that do not end": (b"X-A: aaaaaaaaaa\r\n" * 50,) * 100,
}


@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_is_too_large_is_refused(url: str, name: str, before: int) -> None:
    with Client(url) as client:
        for _ in range(before):
            assert client.request("/e/lab/saw").status == 200
        assert too_large(client, plain("/e/lab/saw")[:-2], *HEADS[name]) == "limit_header"


def test_a_target_of_the_limit_is_taken(url: str) -> None:
    target = "/e/lab/saw?" + "q" * (URI - len("/e/lab/saw?"))
    assert ask(url, target).status == 200
    answer = ask(url, target + "q")
    assert (answer.status, answer.code) == (414, "limit_uri")
    assert str(URI) in answer.json()["detail"]


@pytest.mark.parametrize("before", [0, 1], ids=["first", "second"])
def test_a_target_that_does_not_end_is_refused(url: str, before: int) -> None:
    with Client(url) as client:
        for _ in range(before):
            assert client.request("/e/lab/saw").status == 200
        assert too_large(client, b"GET /e/lab/saw/", *[b"a" * 1000] * 300) == "limit_uri"


@pytest.mark.parametrize("size", [1_000_000, 30_000_000])
def test_who_still_sends_gets_the_refusal_all_the_same(url: str, size: int) -> None:
    with Client(url) as client:
        assert too_large(client, plain("/e/lab/saw")[:-2], b"X-A: ", b"a" * size) == "limit_header"


def test_who_was_refused_does_not_keep_the_daemon_from_ending(start: DaemonStarter, plugins: Path) -> None:
    daemon = start(plugins, limit_uri=URI)
    with Client(daemon.url) as client:
        assert too_large(client, b"GET /e/lab/saw/", b"a" * 10_000) == "limit_uri"
        assert daemon.stop(timeout=5) == 0


def test_so_does_who_was_waited_for(url: str) -> None:
    """The daemon gives the request up, which has not reached the plugin, but not the connection."""
    with Client(url) as client:
        client.send(plain("/e/lab/saw", CHUNKED, "Expect: 100-continue", method="POST"))
        # The interim answer: now the daemon waits for the body.
        assert select.select([client], [], [], TIMEOUT_SECONDS)[0]
        assert too_large(client, b"this is no size\r\n", b"." * 1_000_000) == "request_malformed"


TAILS = {
    "trailers": (b"0\r\n", *[b"X-A: aaaaaaaaaa\r\n" * 50] * 100),
    "a trailer": (b"0\r\nX-A: ", *[b"a" * 1000] * 300),
    "an extension": (b"1;a=", *[b"a" * 1000] * 300),
    "a size": (b"0" * 1000,) * 300,
}


@pytest.mark.parametrize("name", TAILS)
def test_what_stands_between_chunks_is_limited_too(url: str, name: str) -> None:
    """A parser keeps it, or reads it for ever, and it is no part of the body."""
    with Client(url) as client:
        assert too_large(client, plain("/e/lab/saw", CHUNKED, method="POST"), *TAILS[name]) in (
            "limit_header",
            "request_malformed",
        )


# Connections


def test_no_more_connections_than_allowed_are_served(start: DaemonStarter, plugins: Path) -> None:
    daemon = start(plugins, limit_connections=2)
    with Client(daemon.url) as one, Client(daemon.url) as two:
        assert [client.request("/e/lab/saw").status for client in (one, two)] == [200, 200]
        with Client(daemon.url) as three:
            answer = three.read()
            assert (answer.status, answer.code, answer.closes) == (503, "connections_exhausted", True)
            assert three.ends()
        assert [client.request("/e/lab/saw").status for client in (one, two)] == [200, 200]
        two.request("/e/lab/saw", "Connection: close")
        assert two.ends()
        with Client(daemon.url) as four:
            assert four.request("/e/lab/saw").status == 200


def test_requests_sent_ahead_without_end_are_not_all_kept(url: str) -> None:
    """Those that were taken are answered, in order, and then the connection is closed."""
    with Client(url) as client:
        client.send(*(plain(f"/e/lab/saw/{number}") for number in range(500)))
        numbers = []
        while True:
            try:
                numbers.append(client.read().json()["values"]["rest"])
            except Broken:
                break
    assert numbers == [str(number) for number in range(len(numbers))]
    assert len(numbers) >= 20
