"""Reads the streams of Dify's inner API, which consist of chunks with two headers each. Pure.

A chunk is: a first header of 4 bytes (magic 0x0f, one reserved byte, the size of the second header as u16), the second
header (the size of the payload as u32, six reserved bytes), and the payload. Numbers are little-endian.
"""

from collections.abc import Iterator
from struct import Struct

MAGIC = 0x0F
MAX_PAYLOAD = 30 * 1024 * 1024
"""The most bytes of a chunk's payload, as in Dify's plugin daemon (`RESPONSE_MAX_BUFFER_SIZE`)."""

_FIRST = Struct("<BxH")
_SIZE = Struct("<I")


class FramingError(Exception):
    """The data is not such a stream."""


class ChunkReader:
    """Bytes in, payloads out. Holds at most one incomplete chunk."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._needed = _FIRST.size
        """The number of bytes that must be held before the next step is possible."""

    def receive(self, data: bytes) -> Iterator[bytes]:
        """Take `data`; yields the payloads that are now complete. Raises `FramingError`, after which the reader must
        not be used any more."""
        self._held += data
        while len(self._held) >= self._needed:
            begin, end = self._place()
            if len(self._held) < end:
                self._needed = end
                return
            payload = bytes(self._held[begin:end])
            del self._held[:end]
            self._needed = _FIRST.size
            yield payload

    def finish(self) -> None:
        """The stream has ended. Raises `FramingError` if the last chunk is incomplete."""
        if self._held:
            raise FramingError(f"the stream ended in the middle of a chunk, of which {len(self._held)} bytes had come")

    def _place(self) -> tuple[int, int]:
        """The offsets at which the payload begins and ends. While the second header is incomplete, both are the offset
        at which that ends."""
        magic, size = _FIRST.unpack_from(self._held)
        if magic != MAGIC:
            raise FramingError(f"a chunk begins with {bytes(self._held[:8]).hex(' ')} in the place of 0f")
        if size < _SIZE.size:
            raise FramingError(f"the second head of a chunk has {size} bytes, which is too few")
        begin = _FIRST.size + size
        if len(self._held) < begin:
            return begin, begin
        (length,) = _SIZE.unpack_from(self._held, _FIRST.size)
        if length > MAX_PAYLOAD:
            raise FramingError(f"a chunk has {length} bytes; the maximum is {MAX_PAYLOAD}")
        return begin, begin + length
