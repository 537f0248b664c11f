"""Counts the body bytes of a chunked HTTP message without copying or keeping them."""

LINE_END = b"\r\n"


class ChunkedCounter:
    """Parses chunked framing, in pieces of any size.

    ``finished`` becomes true at the end of the last chunk. Trailers are not supported, because none of the measured
    servers sends any.
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
        """Parse ``buffer[start:end]``; raise ValueError if it is not chunked framing."""
        while start < end and not self.finished:
            if self._chunk_left:
                step = min(self._chunk_left, end - start)
                self._chunk_left -= step
                start += step
                self.finished = self._last and not self._chunk_left
            else:
                start = self._read_size(buffer, start, end)

    def _read_size(self, buffer: bytearray, start: int, end: int) -> int:
        """Parse a size line, or the part of it in the buffer; return the position behind it."""
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
