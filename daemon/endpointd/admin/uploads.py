"""Archives on their way in: held to a size and a clock, and kept outside of memory until they are whole."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, BinaryIO, cast

from starlette.requests import ClientDisconnect, Request

from endpointd.admin.receiving import RequestGone
from endpointd.errors import OperatorError, UsageError

ARCHIVE = "application/x-tar"
MAX_ARCHIVE = 512 * 1024 * 1024
IDLE = 30.0
"""Seconds that a client may pause while it sends."""

_IN_MEMORY = 1024 * 1024


class Uploads:
    """Archives of at most `most` bytes; the larger ones wait in nameless files of `directory`."""

    def __init__(self, directory: Path, most: int = MAX_ARCHIVE, idle: float = IDLE) -> None:
        self._directory = directory
        self._most = most
        self._idle = idle

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[BinaryIO]:
        """The whole body, at its beginning. Raises `OperatorError`, `RequestGone`."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != ARCHIVE:
            raise UsageError("archive_type", f"the body is {kind or 'of no type'}", f"send a tar archive as {ARCHIVE}")
        self._check(int(request.headers.get("content-length", 0)))
        with tempfile.SpooledTemporaryFile(_IN_MEMORY, dir=str(self._directory)) as spool:
            try:
                await self._receive(request, cast("IO[bytes]", spool))
            except ClientDisconnect:
                raise RequestGone from None
            spool.seek(0)
            yield cast("BinaryIO", spool)

    async def _receive(self, request: Request, spool: IO[bytes]) -> None:
        pieces = aiter(request.stream())
        size = 0
        while True:
            try:
                async with asyncio.timeout(self._idle):
                    piece = await anext(pieces, None)
            except TimeoutError:
                raise OperatorError(
                    "archive_stalled", f"no more of the archive came for {self._idle:g} seconds", "send it again"
                ) from None
            if piece is None:
                return
            size += len(piece)
            self._check(size)
            try:
                await asyncio.to_thread(spool.write, piece)
            except OSError as error:
                raise OperatorError(
                    "archive_unwritable",
                    f"the archive cannot be kept in {self._directory}: {error.strerror}",
                    "make room there, and install it again",
                ) from error

    def _check(self, size: int) -> None:
        if size > self._most:
            raise UsageError(
                "archive_too_large",
                f"the archive has more than {self._most} bytes",
                "leave out of the folder what the plugin does not need",
            )
