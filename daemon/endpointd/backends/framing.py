"""The streams of Dify's inner API: chunks with two heads each. Pure.

A chunk is 4 bytes (magic 0x0f, one reserved, the size of the second head as u16), the second head (the size of the
payload as u32, six reserved), and the payload; numbers are little-endian.
"""

from collections.abc import Iterator
from struct import Struct

MAGIC = 0x0F
MAX_PAYLOAD = 30 * 1024 * 1024
"""Bytes of a chunk, as in the original daemon (`RESPONSE_MAX_BUFFER_SIZE`)."""

_FIRST = Struct("<BxH")
_SIZE = Struct("<I")


class FramingError(Exception):
    """What came is not such a stream."""


class ChunkReader:
    """Bytes in, payloads out. What has been taken of a payload that is not whole is held, `MAX_PAYLOAD` at most."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._needed = _FIRST.size
        """Bytes that are to be there before there is anything to do."""

    def receive(self, data: bytes) -> Iterator[bytes]:
        """The payloads that are whole now. Raises `FramingError`; then the reader is of no more use."""
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
        """Nothing more comes. Raises `FramingError`: a chunk is not whole."""
        if self._held:
            raise FramingError(f"the stream ended in the middle of a chunk, of which {len(self._held)} bytes had come")

    def _place(self) -> tuple[int, int]:
        """Where the payload begins and ends; the end of the second head twice, when that is not there yet."""
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
