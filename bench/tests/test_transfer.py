"""The bare-socket client against servers that answer wrongly: each must come out as a failed transfer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from running import Site
from transfer import download, upload

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
WHOLE = HEAD + b"5\r\nhello\r\n0\r\n\r\n"


@contextmanager
def answering(answer: bytes, request_body: int = 0) -> Iterator[Site]:
    """A server that reads one request with a body of that many bytes, sends ``answer`` and hangs up."""

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            received = b""
            while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < request_body:
                received += client.recv(65536)
            client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        yield Site(listener.getsockname()[1], "/e/stream")
        server.join(10)


def test_a_whole_body_is_no_failure() -> None:
    with answering(WHOLE) as site:
        transfer = download(site, "/out/5/256", 5)
    assert transfer.problem is None
    assert transfer.rate == pytest.approx(5 / transfer.seconds / 1e6)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (WHOLE, "5 of 6 bytes arrived"),
        (WHOLE[:-1], "the connection ended after 5 bytes"),
        (HEAD + b"6\r\nhel", "the connection ended after 3 bytes"),
        (HEAD[:20], "within the response's head"),
        (HEAD.replace(b"200", b"500"), "not a chunked 200"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello!", "not a chunked 200"),
    ],
)
def test_a_wrong_answer_to_a_download_is_a_failure(answer: bytes, problem: str) -> None:
    with answering(answer) as site:
        transfer = download(site, "/out/6/256", 6)
    assert problem in str(transfer.problem)
    assert transfer.failures == 1


@pytest.mark.parametrize(
    ("answer", "failures"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n10", 0),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n9", 1),
        (b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n10", 1),
        (b"", 1),
    ],
)
def test_an_upload_must_be_answered_with_its_size(answer: bytes, failures: int) -> None:
    with answering(answer, request_body=10) as site:
        assert upload(site, 10).failures == failures
