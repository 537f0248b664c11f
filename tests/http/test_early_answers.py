"""An answer may be there before the request's body is: the client gets it, whether or not its connection is kept."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest

from endpointd.testing import DaemonStarter
from support.raw_http import Client, plain

SIZE = 8 * 1024 * 1024
"""More than two systems hold between them: who sends so much notices if nobody reads."""

UNFINISHED = f"Content-Length: {SIZE}"
OLD = f"POST /e/lab/none HTTP/1.0\r\n{UNFINISHED}\r\n\r\n".encode()

HEADS = {
    "kept": plain("/e/lab/none", UNFINISHED, method="POST"),
    "closing": plain("/e/lab/none", UNFINISHED, "Connection: close", method="POST"),
    "HTTP/1.0": OLD,
}


@pytest.mark.parametrize("name", HEADS)
def test_who_sends_all_of_its_body_finds_the_answer(url: str, name: str) -> None:
    with Client(url) as client:
        client.send(HEADS[name], bytes(SIZE))
        answer = client.read()
        assert (answer.code, answer.closes) == ("interface_unknown", name != "kept")
        if answer.closes:
            assert client.ends()
        else:
            assert client.request("/e/lab/saw").status == 200


@pytest.mark.parametrize("name", ["closing", "HTTP/1.0"])
def test_who_waits_with_its_body_sees_the_end_of_the_answer_first(url: str, name: str) -> None:
    """In HTTP/1.0 an answer without a length ends with the connection."""
    with Client(url) as client:
        client.send(HEADS[name].replace(b"/none", b"/answer/iterator"), b"first")
        assert client.read().status == 200
        assert client.ends()
        client.send(bytes(SIZE - len(b"first")))


def test_urllib_finds_the_answer(url: str) -> None:
    """It always asks for the end of the connection, and reads no answer as long as it sends."""
    with pytest.raises(urllib.error.HTTPError) as raised:
        urllib.request.urlopen(f"{url}/e/lab/none", data=bytes(SIZE), timeout=20)
    with raised.value as answer:
        assert answer.code == 404


@pytest.mark.parametrize("headers", [["Connection: close"], ["Connection: close, Upgrade", "Upgrade: h2c"]])
def test_what_is_sent_behind_such_a_body_is_not_served(url: str, headers: list[str]) -> None:
    with Client(url) as client:
        client.send(plain("/e/lab/none", "Content-Length: 5", *headers, method="POST"))
        assert client.read().closes
        client.send(b"hello", plain("/e/lab/hits/behind-early"))
        assert client.ends()
    with Client(url) as client:
        assert "behind-early" not in client.request("/e/lab/hits").json()


def test_a_daemon_that_ends_hears_out_whom_it_has_answered(start: DaemonStarter, plugins: Path) -> None:
    daemon = start(plugins)
    with Client(daemon.url) as client:
        client.send(HEADS["kept"])
        assert not client.read().closes
        daemon.process.terminate()
        assert client.ends()
        client.send(bytes(SIZE))
        assert daemon.process.wait(10) == 0
