"""Archives and packages as the API takes them: the body is the file."""

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
    """They wait in `directory`. `limit_package` gives the bytes that a package may have, `most` are those of an
    archive."""

    def __init__(
        self, directory: Path, limit_package: Callable[[], int], most: int = MAX_ARCHIVE, idle: float = IDLE
    ) -> None:
        self._directory = directory
        self._limit_package = limit_package
        self._most = most
        self._idle = idle

    @asynccontextmanager
    async def received(self, request: Request) -> AsyncIterator[tuple[str, BinaryIO]]:
        """Which of the two it is, and the whole body at its beginning. Raises `OperatorError`, `RequestGone`."""
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
