"""Receives archives and packages that are uploaded to the API as the body of a request."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

from starlette.requests import Request

from endpointd.admin.documents import ARCHIVE, PACKAGE
from endpointd.admin.spool import IDLE, pieces, spooled
from endpointd.errors import UsageError

MAX_ARCHIVE = 512 * 1024 * 1024


class Uploads:
    """Uploads are stored in `directory` while they are received. `limit_package` returns the largest size of a package,
    `most` is that of an archive, in bytes; `idle` is the longest pause of a client, in seconds."""

    def __init__(
        self, directory: Path, limit_package: Callable[[], int], most: int = MAX_ARCHIVE, idle: float = IDLE
    ) -> None:
        self._directory = directory
        self._limit_package = limit_package
        self._most = most
        self._idle = idle

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[tuple[str, BinaryIO]]:
        """Receive the body of a request. Yields its media type (`ARCHIVE` or `PACKAGE`), and a file with the body.
        Raises `OperatorError` or `RequestGone`."""
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (ARCHIVE, PACKAGE):
            remedy = f"send a package as {PACKAGE}, or a tar of the folder as {ARCHIVE}"
            raise UsageError("archive_type", f"the body is {kind or 'of no type'}", remedy)
        most = min(self._most, self._limit_package()) if kind == PACKAGE else self._most
        async with spooled(self._directory, most) as spool:
            spool.expect(int(request.headers.get("content-length", 0)))
            async for piece in pieces(request, self._idle):
                await spool.write(piece)
            yield kind, spool.whole()
