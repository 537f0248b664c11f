"""The scene as an animated GIF of any width, one frame after the other."""

from collections.abc import Iterator

from drawing import gif
from drawing.look import Look
from drawing.scene import FRAME_SECONDS, FRAMES, HEIGHT, WIDTH, scene
from drawing.sprite import Rows


def gif_pieces(width: int, look: Look) -> Iterator[bytes]:
    """The GIF's header, each of its frames as soon as it is drawn, and its trailer."""
    height = max(1, width * HEIGHT // WIDTH)
    colours = look.palette.by_letter()
    table = list(colours.values())
    yield gif.header(width, height, table)
    indices = bytes.maketrans("".join(colours).encode(), bytes(range(len(colours))))
    for number in range(FRAMES):
        pixels = _enlarge(scene(number, look.stars), width, height).translate(indices)
        yield gif.frame(pixels, width, height, table, FRAME_SECONDS)
    yield gif.TRAILER


def _enlarge(rows: Rows, width: int, height: int) -> bytes:
    """The rows stretched to `width` by `height` letters, each taken from the nearest of the picture's own."""
    columns = [x * WIDTH // width for x in range(width)]
    stretched = ["".join(row[x] for x in columns).encode() for row in rows]
    return b"".join(stretched[y * HEIGHT // height] for y in range(height))
