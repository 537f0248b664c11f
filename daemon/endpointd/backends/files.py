"""Files that come with a call: received into a temporary file, and sent on as a multipart form."""

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO

from endpointd.sessions.errors import CallRefused

ARRIVAL = 30.0
"""Seconds that the next piece may take to come from the plugin."""

IN_MEMORY = 1024 * 1024
"""A file of at most this many bytes is kept in memory and not on the disk."""

_PIECE = 64 * 1024
"""Bytes per read."""


@dataclass(frozen=True, slots=True)
class File:
    """A file from the plugin, deleted when the context of `received` ends. `size` is in bytes."""

    content: IO[bytes]
    size: int

    async def pieces(self) -> AsyncIterator[bytes]:
        await asyncio.to_thread(self.content.seek, 0)
        while piece := await asyncio.to_thread(self.content.read, _PIECE):
            yield piece

    async def whole(self) -> bytes:
        return b"".join([piece async for piece in self.pieces()])


@asynccontextmanager
async def received(body: AsyncIterator[bytes], most: int) -> AsyncIterator[File]:
    """Receive the file that comes with a call. Raises `CallRefused` if it has more than `most` bytes, does not come in
    time, or cannot be written to the disk."""
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as content:
        size = 0
        async for piece in _in_time(body):
            size += len(piece)
            if size > most:
                raise CallRefused("invalid", f"the file has more than {most} bytes (limit_file); send a smaller one")
            await _write(content, piece)
        yield File(content, size)


async def _in_time(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    while True:
        try:
            async with asyncio.timeout(ARRIVAL):
                piece = await anext(body, None)
        except TimeoutError:
            raise CallRefused("timeout", f"the rest of the file has not come for {ARRIVAL:g} s") from None
        if piece is None:
            return
        yield piece


async def _write(content: IO[bytes], piece: bytes) -> None:
    try:
        await asyncio.to_thread(content.write, piece)
    except OSError as error:
        raise CallRefused("failed", f"the daemon cannot keep the file for a moment: {error.strerror}") from None


class Form:
    """A body of the type `multipart/form-data` with some text fields and one file."""

    def __init__(self, fields: Mapping[str, str], name: str, filename: str, mimetype: str, file: File) -> None:
        self._boundary = secrets.token_hex(16)
        head = "".join(self._part(_disposition(field), value) for field, value in fields.items())
        named = _disposition(name) + f'; filename="{_quoted(filename)}"\r\nContent-Type: {_single_line(mimetype)}'
        self._head = (head + self._part(named, "")).encode(errors="replace").removesuffix(b"\r\n")
        self._tail = f"\r\n--{self._boundary}--\r\n".encode()
        self._file = file

    @property
    def headers(self) -> dict[str, str]:
        size = len(self._head) + self._file.size + len(self._tail)
        return {
            "Content-Type": f"multipart/form-data; boundary={self._boundary}",
            # Many servers refuse a form without a known size.
            "Content-Length": str(size),
        }

    async def content(self) -> AsyncIterator[bytes]:
        yield self._head
        async for piece in self._file.pieces():
            yield piece
        yield self._tail

    def _part(self, head: str, value: str) -> str:
        return f"--{self._boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n"


def _disposition(name: str) -> str:
    return f'name="{_quoted(name)}"'


def _quoted(text: str) -> str:
    """Escape a name as the HTML standard says for multipart forms."""
    return text.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")


def _single_line(text: str) -> str:
    return text if text.isprintable() and text.strip() else "application/octet-stream"
