"""Animated GIFs (GIF89a), written piece by piece: `header`, a `frame` for each picture, then `TRAILER`.

The pixels of a picture are one byte each, an index into the table of colours, row by row from the top left.
"""

import struct
from collections.abc import Sequence

TRAILER = b";"

MAX_CODE_BITS = 12
MAX_BLOCK = 255
FOR_EVER = 0


def header(width: int, height: int, colours: Sequence[str]) -> bytes:
    """What comes before the first frame: the size in pixels, up to 256 colours (`#rrggbb`), and that it never ends."""
    depth = _depth(colours)
    size_and_table = struct.pack("<HHBBB", width, height, 0x80 | (depth - 1), 0, 0)
    table = b"".join(bytes.fromhex(colour.removeprefix("#")) for colour in colours).ljust(3 << depth, b"\0")
    loop = b"\x21\xff\x0bNETSCAPE2.0" + struct.pack("<BBHB", 3, 1, FOR_EVER, 0)
    return b"GIF89a" + size_and_table + table + loop


def frame(pixels: bytes, width: int, height: int, colours: Sequence[str], seconds: float) -> bytes:
    """One whole picture, shown for `seconds` (the format counts in hundredths)."""
    depth = _depth(colours)
    control = b"\x21\xf9" + struct.pack("<BBHBB", 4, 0, round(seconds * 100), 0, 0)
    place = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0)
    return control + place + bytes([depth]) + _blocks(_compress(pixels, depth))


def _depth(colours: Sequence[str]) -> int:
    """Bits a pixel; the format has no fewer than 2."""
    return max(2, (len(colours) - 1).bit_length())


def _blocks(data: bytes) -> bytes:
    """The data as blocks that each say their length, with the empty one that ends them."""
    starts = range(0, len(data), MAX_BLOCK)
    blocks = (data[start : start + MAX_BLOCK] for start in starts)
    return b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _compress(pixels: bytes, depth: int) -> bytes:
    """GIF's LZW: each code stands for a run of pixels seen before, and codes grow wider as runs are learnt."""
    clear = 1 << depth
    end = clear + 1
    bits = _BitWriter()
    codes: dict[int, int] = {}
    width, newest = depth + 1, end
    bits.write(clear, width)
    run = pixels[0]
    for pixel in pixels[1:]:
        longer = run << 8 | pixel
        if longer in codes:
            run = codes[longer]
            continue
        bits.write(run, width)
        run = pixel
        newest += 1
        if newest >> MAX_CODE_BITS:  # no code is left for a new run: both sides forget all and learn again
            bits.write(clear, width)
            codes.clear()
            width, newest = depth + 1, end
            continue
        codes[longer] = newest
        # The reader learns each run one code later than the writer, so this code still has the old width's room.
        if newest >> width:
            width += 1
    bits.write(run, width)
    bits.write(end, width)
    return bits.finish()


class _BitWriter:
    """Packs codes into bytes, the low bits first."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._pending = 0
        self._pending_bits = 0

    def write(self, code: int, width: int) -> None:
        self._pending |= code << self._pending_bits
        self._pending_bits += width
        while self._pending_bits >= 8:
            self._bytes.append(self._pending & 0xFF)
            self._pending >>= 8
            self._pending_bits -= 8

    def finish(self) -> bytes:
        """All that was written, the last byte filled up with zeros."""
        if self._pending_bits:
            self._bytes.append(self._pending)
        return bytes(self._bytes)
