"""Transfers one large body between this process and a server over a plain socket, and measures the time.

HTTP clients in Python are not used, because they spend more time on a chunk than the servers do.
"""

import http.client
import socket
import time
from dataclasses import dataclass

from chunked import ChunkedCounter
from results import Sample
from running import Site

BUFFER_BYTES = 1024 * 1024
TIMEOUT_SECONDS = 60.0
HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Transfer:
    """One transfer: the body's size in bytes, the seconds from the request's first byte to the answer's last, and what
    went wrong, if anything.
    """

    size: int
    seconds: float
    problem: str | None = None

    @property
    def rate(self) -> float:
        """Return megabytes (10^6 bytes) per second."""
        return self.size / self.seconds / 1e6

    @property
    def failures(self) -> int:
        """Return 1 if the body was incomplete or the answer wrong, else 0."""
        return int(self.problem is not None)

    def sample(self, question: str, subject: str, **more: float) -> Sample:
        """Return the transfer as a sample, with further figures."""
        return Sample(question, subject, {"rate": self.rate, **more}, self.failures, self.problem)


def download(site: Site, path: str, size: int) -> Transfer:
    """Fetch ``size`` bytes from ``path`` of the stream plugin and count every one of them."""
    with connect(site) as client:
        started = time.perf_counter()
        try:
            client.sendall(request_head("GET", site.prefix + path))
            received = count_chunked_body(client)
        except (OSError, ValueError) as error:
            return Transfer(size, time.perf_counter() - started, f"download failed: {error}")
        seconds = time.perf_counter() - started
    return Transfer(size, seconds, None if received == size else f"{received} of {size} bytes arrived")


def upload(site: Site, size: int) -> Transfer:
    """Send ``size`` bytes to the stream plugin, which must answer with their number."""
    with connect(site) as client:
        started = time.perf_counter()
        try:
            client.sendall(request_head("POST", f"{site.prefix}/in", f"Content-Length: {size}\r\n"))
            send_zeros(client, size)
            status, body = read_answer(client)
        except (OSError, http.client.HTTPException) as error:
            return Transfer(size, time.perf_counter() - started, f"upload failed: {error!r}")
        seconds = time.perf_counter() - started
    right = (status, body) == (200, str(size).encode())
    return Transfer(size, seconds, None if right else f"answered {status} {body[:200]!r}")


def connect(site: Site) -> socket.socket:
    """Return a connection to the server."""
    return socket.create_connection(("127.0.0.1", site.port), TIMEOUT_SECONDS)


def request_head(method: str, path: str, headers: str = "") -> bytes:
    """Return a request's head, with ``Connection: close``."""
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{headers}\r\n".encode()


def count_chunked_body(client: socket.socket) -> int:
    """Read a response to the end of its chunked body; return the body's length.

    Raises ValueError if the status is not 200, the body is not chunked, or the connection ends early.
    """
    buffer = bytearray(BUFFER_BYTES)
    filled = read_head(client, buffer)
    body = buffer.index(HEAD_END) + len(HEAD_END)
    check_head(bytes(buffer[:body]))
    counter = ChunkedCounter()
    counter.feed(buffer, body, filled)
    while not counter.finished:
        filled = client.recv_into(buffer)
        if not filled:
            raise ValueError(f"the connection ended after {counter.body} bytes")
        counter.feed(buffer, 0, filled)
    return counter.body


def read_head(client: socket.socket, buffer: bytearray) -> int:
    """Read until ``buffer`` has a response's whole head; return the number of bytes in it then."""
    filled = 0
    while HEAD_END not in buffer[:filled]:
        got = client.recv_into(memoryview(buffer)[filled:])
        if not got:
            raise ValueError("the connection ended within the response's head")
        filled += got
    return filled


def check_head(head: bytes) -> None:
    """Raise ValueError unless the response is a chunked 200."""
    if not head.startswith(b"HTTP/1.1 200") or b"transfer-encoding: chunked" not in head.lower():
        raise ValueError(f"not a chunked 200: {head[:200]!r}")


def send_zeros(client: socket.socket, size: int) -> None:
    """Send ``size`` bytes."""
    block = memoryview(bytes(BUFFER_BYTES))
    for position in range(0, size, BUFFER_BYTES):
        client.sendall(block[: size - position])


def read_answer(client: socket.socket) -> tuple[int, bytes]:
    """Read a small response; return its status and body."""
    response = http.client.HTTPResponse(client)
    response.begin()
    return response.status, response.read()
