"""Receives forms with a file, with limits for size and time. Fields are kept in memory, the file on the disk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from endpointd.admin.receiving import RequestGone
from endpointd.admin.spool import Spool, pieces, spooled
from endpointd.errors import OperatorError, UsageError

KIND = "multipart/form-data"
MOST_FIELDS = 20
LONGEST_FIELD = 4096
_BUFFER = 1024 * 1024
"""The most bytes that the decoder may buffer. That is ample: pieces have 64 KiB, and it passes data on at once."""

READ_ON = 30.0
"""The most seconds for reading the rest of a refused form, because browsers do not read the response before they have
sent everything."""


@dataclass(slots=True)
class Upload:
    """A received form. `file_name` is empty if no file was chosen."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str = ""
    file: BinaryIO | None = None


@asynccontextmanager
async def uploaded(
    request: Request, directory: Path, most: int, allow: Callable[[dict[str, str]], None]
) -> AsyncIterator[Upload]:
    """Receive a form with a file of at most `most` bytes, which is stored in `directory` within the block. `allow` is
    called with the fields that come before the file, and may raise to refuse the rest. Raises `OperatorError` or
    `RequestGone`."""
    async with spooled(directory, most) as spool:
        source = pieces(request)
        reader = _Reader(_decoder(request), spool, allow)
        try:
            async for piece in source:
                await reader.take(piece)
            await reader.take(None)
        except OperatorError:
            await _read_on(source)
            raise
        reader.upload.file = spool.whole()
        yield reader.upload


def _decoder(request: Request) -> MultipartDecoder:
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get("boundary", "")
    if kind != KIND or not boundary or len(boundary) > 100 or not boundary.isascii():
        raise UsageError("request_invalid", f"the body is {kind or 'of no type'}", f"send a form, {KIND}")
    return MultipartDecoder(boundary.encode(), _BUFFER, max_parts=MOST_FIELDS)


async def _read_on(source: AsyncIterator[bytes]) -> None:
    """Read and discard the rest of the body, for at most `READ_ON` seconds."""
    with suppress(TimeoutError, OperatorError, RequestGone):
        async with asyncio.timeout(READ_ON):
            async for _ in source:
                pass


class _Reader:
    """Decodes the body, which is passed to `take` in pieces; None is its end."""

    def __init__(self, decoder: MultipartDecoder, spool: Spool, allow: Callable[[dict[str, str]], None]) -> None:
        self.upload = Upload()
        self._decoder = decoder
        self._spool = spool
        self._allow = allow
        self._name: str | None = None
        """The name of the field that is being received; None for the file."""
        self._is_allowed = False

    async def take(self, piece: bytes | None) -> None:
        try:
            self._decoder.receive_data(piece)
            while not isinstance(event := self._decoder.next_event(), NeedData | Epilogue):
                await self._happened(event)
        except (ValueError, RequestEntityTooLarge):
            what = "the form cannot be read"
            raise UsageError("request_invalid", what, "reload the page and try again") from None
        if piece is None and not self._is_allowed:
            self._allow_now()

    async def _happened(self, event: Event) -> None:
        match event:
            case Field(name=name):
                self._name = name
                self.upload.fields[name] = ""
            case File(filename=file_name):
                if self._is_allowed:
                    raise ValueError("more than one file")
                self._allow_now()
                self._name, self.upload.file_name = None, file_name
            case Data(data=data) if self._name is not None:
                self._add(self._name, data)
            case Data(data=data):
                await self._spool.write(data)

    def _add(self, name: str, data: bytes) -> None:
        text = self.upload.fields[name] + bytes(data).decode()
        if len(text) > LONGEST_FIELD:
            raise ValueError("a field is too long")
        self.upload.fields[name] = text

    def _allow_now(self) -> None:
        self._allow(self.upload.fields)
        self._is_allowed = True
