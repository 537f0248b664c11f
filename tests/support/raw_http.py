"""An HTTP/1.1 client of raw bytes that shows an answer as it was sent, and takes nothing for an answer that is none."""

import json
import re
import select
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0

_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t \x21-\x7e\x80-\xff]*)\r\n")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?([\x20-\x7e\t\x80-\xff]*)\r\n")
_CHUNK_SIZE = re.compile(rb"([0-9a-f]{1,16})\r\n")
_LENGTH = re.compile(rb"[0-9]+")
_WITHOUT_BODY = frozenset({204, 304})


class Malformed(AssertionError):
    """What the server sent is not an HTTP/1.1 response."""


class Broken(Exception):
    """The connection ended within an answer, or before it."""


@dataclass(frozen=True)
class Head:
    """The head of an answer; `interim` has the statuses of those that came before it, such as 100."""

    status: int
    reason: str
    headers: list[tuple[bytes, bytes]]
    interim: tuple[int, ...]
    has_body: bool

    def all(self, name: str) -> list[str]:
        """The values of every header of that name, in order, as Latin-1."""
        return [value.decode("latin-1") for key, value in self.headers if key.lower() == name.lower().encode()]

    def one(self, name: str) -> str | None:
        """The value of a header that may be there once. Malformed: it is there more often."""
        values = self.all(name)
        if len(values) > 1:
            raise Malformed(f"{name} is there {len(values)} times: {values}")
        return values[0] if values else None

    @property
    def length(self) -> int | None:
        """The announced size of the body."""
        value = self.one("content-length")
        return None if value is None else int(value)

    @property
    def is_chunked(self) -> bool:
        return self.one("transfer-encoding") is not None

    @property
    def closes(self) -> bool:
        return "close" in (self.one("connection") or "").lower()


@dataclass(frozen=True)
class Answer(Head):
    """A whole answer. `chunks` are those of the transfer coding, without the last, empty one; None if there was
    none."""

    body: bytes = b""
    chunks: list[bytes] | None = field(default=None)

    def json(self) -> Any:  # noqa: ANN401 - whatever it holds
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem. AssertionError: the answer is none, or lacks what every problem has."""
        assert self.one("content-type") == "application/problem+json", (self.headers, self.body)
        document = self.json()
        assert document["status"] == self.status
        assert document["type"].endswith(document["code"])
        assert document["title"]
        assert document["detail"]
        return str(document["code"])


class Client:
    """One connection. Every read is bounded by `timeout` seconds; TimeoutError when it runs out."""

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS, receive_buffer: int | None = None) -> None:
        """Connect to the server at `url`. `receive_buffer` limits what the system takes without the test's doing."""
        self._socket = socket.socket()
        if receive_buffer is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.settimeout(timeout)
        address = urlsplit(url)
        try:
            self._socket.connect((address.hostname, address.port))
        except OSError:
            self._socket.close()
            raise
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def address(self) -> tuple[str, int]:
        """The client's own address and port."""
        host, port = self._socket.getsockname()
        return host, port

    # Sending

    def send(self, *parts: bytes) -> None:
        self._socket.sendall(b"".join(parts))

    def send_bytewise(self, data: bytes) -> None:
        """Send every byte in a packet of its own."""
        for at in range(len(data)):
            self._socket.sendall(data[at : at + 1])

    def send_some(self, data: bytes) -> int:
        """Send what the system takes at once; the number of bytes."""
        return self._socket.send(data)

    def close(self) -> None:
        self._socket.close()

    def reset(self) -> None:
        """Leave as one who has crashed does."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()

    # Receiving

    def is_cut_off(self, timeout: float = TIMEOUT_SECONDS) -> bool:
        """Whether the server breaks the connection within `timeout` seconds. Takes nothing of what came before."""
        waiting = select.poll()
        waiting.register(self, 0)
        return bool(waiting.poll(timeout * 1000))

    def request(self, target: str, *headers: str, method: str = "GET", body: bytes | None = None) -> Answer:
        """Send a plain request and read its answer."""
        self.send(plain(target, *headers, method=method, body=body))
        return self.read(method)

    def read(self, method: str = "GET") -> Answer:
        """The next answer, to a request with `method`. Malformed; Broken: it is not whole."""
        head = self.read_head(method)
        pieces = list(self.pieces(head))
        chunks = pieces if head.has_body and head.is_chunked else None
        return Answer(head.status, head.reason, head.headers, head.interim, head.has_body, b"".join(pieces), chunks)

    def read_head(self, method: str = "GET") -> Head:
        interim: list[int] = []
        while True:
            status, reason = self._read_status_line()
            headers = self._read_headers()
            if status >= 200:
                break
            interim.append(status)
        has_body = method != "HEAD" and status not in _WITHOUT_BODY
        head = Head(status, reason, headers, tuple(interim), has_body)
        _check_framing(head)
        return head

    def read_interim(self) -> int:
        """The status of an interim head, such as 100. Malformed: it is a final one, or has headers."""
        status, _ = self._read_status_line()
        if status >= 200 or self._read_headers():
            raise Malformed(f"not an interim head: {status}")
        return status

    def pieces(self, head: Head) -> Iterator[bytes]:
        """The body piece by piece: chunk by chunk when it is chunked, else as it arrives."""
        if not head.has_body:
            return
        if head.is_chunked:
            yield from self._chunks()
        elif head.length is not None:
            yield from self._pieces_of(head.length)
        else:
            while self._buffer or self._fill():
                yield self._take(len(self._buffer))

    def everything(self) -> Iterator[bytes]:
        """All that comes until the server closes the connection, as it arrives and whatever it is."""
        while self._buffer or self._fill():
            yield self._take(len(self._buffer))

    def ends(self) -> bool:
        """Whether the server closes (or resets) the connection next, having sent nothing else."""
        if self._buffer:
            return False
        try:
            return not self._fill()
        except Broken:
            return True

    def _chunks(self) -> Iterator[bytes]:
        while True:
            line = _CHUNK_SIZE.fullmatch(self._line())
            if line is None:
                raise Malformed("a chunk has no size")
            size = int(line[1], 16)
            data = self._exactly(size)
            if self._exactly(2) != b"\r\n":
                raise Malformed("a chunk is longer than its size")
            if not size:
                return
            yield data

    def _pieces_of(self, length: int) -> Iterator[bytes]:
        while length:
            if not self._buffer and not self._fill():
                raise Broken(f"the body ended {length} bytes before its Content-Length")
            piece = self._take(min(length, len(self._buffer)))
            length -= len(piece)
            yield piece

    def _read_status_line(self) -> tuple[int, str]:
        line = self._line()
        found = _STATUS_LINE.fullmatch(line)
        if found is None:
            raise Malformed(f"not a status line: {line!r}")
        return int(found[1]), found[2].decode("latin-1")

    def _read_headers(self) -> list[tuple[bytes, bytes]]:
        headers = []
        while (line := self._line()) != b"\r\n":
            found = _HEADER.fullmatch(line)
            if found is None:
                raise Malformed(f"not a header: {line!r}")
            headers.append((found[1], found[2]))
        return headers

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            self._need()
        return self._take(end + 1)

    def _exactly(self, size: int) -> bytes:
        while len(self._buffer) < size:
            self._need()
        return self._take(size)

    def _need(self) -> None:
        if not self._fill():
            raise Broken(f"the connection was closed after {bytes(self._buffer)!r}")

    def _fill(self) -> bool:
        """Receive more; False when the server has closed the connection properly. Broken: it was reset."""
        try:
            data = self._socket.recv(65536)
        except ConnectionError as error:
            raise Broken(str(error)) from error
        self._buffer += data
        return bool(data)

    def _take(self, size: int) -> bytes:
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def plain(target: str, *headers: str, method: str = "GET", body: bytes | None = None) -> bytes:
    """A request as any client would send it. `headers` are whole lines; a body gets its Content-Length."""
    lines = [f"{method} {target} HTTP/1.1", "Host: daemon.test", *headers]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n" + (body or b"")


def chunked(*chunks: bytes) -> bytes:
    """A whole chunked body."""
    return b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])


def ask(url: str, target: str, *headers: str, method: str = "GET", body: bytes | None = None) -> Answer:
    """Send a plain request on a connection of its own and read the answer."""
    with Client(url) as client:
        return client.request(target, *headers, method=method, body=body)


def _check_framing(head: Head) -> None:
    length = head.one("content-length")
    coding = head.one("transfer-encoding")
    if length is not None and not _LENGTH.fullmatch(length.encode()):
        raise Malformed(f"Content-Length is {length!r}")
    if coding not in (None, "chunked"):
        raise Malformed(f"Transfer-Encoding is {coding!r}")
    if coding is not None and (length is not None or head.status == 204):
        raise Malformed("Transfer-Encoding beside Content-Length, or without a body")
    if head.status == 204 and length is not None:
        raise Malformed("a 204 has a Content-Length")
    if head.has_body and length is None and coding is None and not head.closes:
        raise Malformed("nothing says where the body ends")
