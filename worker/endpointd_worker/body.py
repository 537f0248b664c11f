"""The body of a request as a file object. Reading blocks until the client has sent more."""

import io
from collections.abc import Callable

from werkzeug.exceptions import ClientDisconnected

from endpointd_worker.streams import Cancelled


class RequestBody(io.RawIOBase):
    """`read_piece` returns the next bytes, b"" at the end, and raises `Cancelled` if the rest will never come.

    A body that breaks off raises `ClientDisconnected`, so it is never taken for a complete one.
    """

    def __init__(self, read_piece: Callable[[], bytes]) -> None:
        self._read_piece = read_piece
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if not self._rest:
            try:
                self._rest = memoryview(self._read_piece())
            except Cancelled as error:
                raise ClientDisconnected(str(error)) from None
        size = min(len(self._rest), len(buffer))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
