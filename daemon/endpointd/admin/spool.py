"""Receives uploads into temporary files, with limits for size and time."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from starlette.requests import ClientDisconnect, Request

from endpointd.admin.receiving import RequestGone
from endpointd.errors import OperatorError, UsageError

IDLE = 30.0
"""The longest pause in seconds of a client that is sending."""

_IN_MEMORY = 1024 * 1024


class Spool:
    """A temporary file for an upload of at most `most` bytes. More than `_IN_MEMORY` bytes are written to a nameless
    file in `directory`."""

    def __init__(self, file: IO[bytes], directory: Path, most: int) -> None:
        self._file = file
        self._directory = directory
        self._most = most
        self._size = 0

    def expect(self, size: int) -> None:
        """Raise `UsageError` if `size` bytes exceed the limit."""
        if size > self._most:
            raise UsageError(
                "archive_too_large",
                f"what is uploaded has more than {self._most} bytes",
                "leave out what the plugin does not need; the limit of packages is limit_package",
            )

    async def write(self, piece: bytes) -> None:
        """Append a piece. Raises `OperatorError` if the upload is too large, or cannot be written."""
        self._size += len(piece)
        self.expect(self._size)
        try:
            await asyncio.to_thread(self._file.write, piece)
        except OSError as error:
            raise OperatorError(
                "archive_unwritable",
                f"the archive cannot be kept in {self._directory}: {error.strerror}",
                "make room there, and install it again",
            ) from error

    def whole(self) -> BinaryIO:
        """The file with the complete upload, positioned at its beginning."""
        self._file.seek(0)
        return cast("BinaryIO", self._file)


@asynccontextmanager
async def spooled(directory: Path, most: int) -> AsyncIterator[Spool]:
    with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(directory)) as file:
        yield Spool(cast("IO[bytes]", file), directory, most)


async def pieces(request: Request, idle: float = IDLE) -> AsyncIterator[bytes]:
    """Yield the pieces of the request's body as they arrive. Raises `OperatorError` after a pause of `idle` seconds,
    and `RequestGone`."""
    source = aiter(request.stream())
    while True:
        try:
            async with asyncio.timeout(idle):
                piece = await anext(source, None)
        except TimeoutError:
            raise OperatorError(
                "archive_stalled", f"no more of the archive came for {idle:g} seconds", "send it again"
            ) from None
        except ClientDisconnect:
            raise RequestGone from None
        if piece is None:
            return
        yield piece
