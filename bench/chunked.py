"""Counts the body bytes of a chunked HTTP message without copying or keeping them."""

LINE_END = b"\r\n"


class ChunkedCounter:
    """Follows the chunk framing over pieces of any size.

    ``finished`` is true once the last chunk has ended. Trailers are not understood: none of the measured servers
    sends any.
    """

    def __init__(self) -> None:
        self.finished = False
        self._announced = 0
        self._size_line = bytearray()
        self._chunk_left = 0
        self._last = False

    @property
    def body(self) -> int:
        """Return the number of body bytes seen."""
        return self._announced - max(0, self._chunk_left - len(LINE_END))

    def feed(self, buffer: bytearray, start: int, end: int) -> None:
        """Take in ``buffer[start:end]``; raise ValueError if that is not chunk framing."""
        while start < end and not self.finished:
            if self._chunk_left:
                step = min(self._chunk_left, end - start)
                self._chunk_left -= step
                start += step
                self.finished = self._last and not self._chunk_left
            else:
                start = self._read_size(buffer, start, end)

    def _read_size(self, buffer: bytearray, start: int, end: int) -> int:
        """Take in a size line, or the part of it that is there; return where it ends."""
        newline = buffer.find(b"\n", start, end)
        if newline < 0:
            self._size_line += buffer[start:end]
            return end
        size = int(self._size_line + buffer[start:newline], 16)
        self._size_line.clear()
        self._announced += size
        self._last = size == 0
        self._chunk_left = size + len(LINE_END)
        return newline + 1
