"""One moment of the animation as rows of letters: the stars behind, the rainbow and the cat in front."""

from drawing import sprite
from drawing.look import BANDS
from drawing.sprite import Rows

WIDTH = 64
HEIGHT = 32
FRAMES = 16
FRAME_SECONDS = 0.08
FRAMES_PER_POSE = 2

CAT_AT = (30, 8)
RAINBOW_TOP = 10
RAINBOW_END = CAT_AT[0] + sprite.BODY_AT[0] + 3  # its end is hidden behind the cat's back
BAND_HEIGHT = 2
WAVE = 8  # columns from a crest to the next trough

# (column, row) of each star at the first moment. In one round of the animation every star crosses the whole picture, so
# that the last moment leads into the first.
STARS = ((6, 3), (20, 29), (27, 5), (39, 28), (47, 2), (58, 6), (60, 27), (9, 27))
STAR_STEP = WIDTH // FRAMES

Grid = list[list[str]]


def scene(frame: int, stars: bool) -> Rows:
    """The picture at moment `frame` (any integer: the animation goes round), `HEIGHT` rows of `WIDTH` letters."""
    grid = _blank()
    if stars:
        _draw_stars(grid, frame)
    _lay(grid, runner(frame // FRAMES_PER_POSE % 2), 0, 0)
    return _rows(grid)


def runner(pose: int) -> Rows:
    """The rainbow and the cat alone, in the first (0) or the second (1) of the two poses."""
    grid = _blank()
    _draw_rainbow(grid, pose)
    _draw_cat(grid, pose)
    return _rows(grid)


def _blank() -> Grid:
    return [["."] * WIDTH for _ in range(HEIGHT)]


def _rows(grid: Grid) -> Rows:
    return tuple("".join(row) for row in grid)


def _draw_stars(grid: Grid, frame: int) -> None:
    for number, (column, row) in enumerate(STARS):
        centre = (column - frame * STAR_STEP) % WIDTH
        grid[row][centre] = "*"
        if (frame + number) % 4 < 2:  # half of the time a star is larger: it twinkles
            for x, y in ((centre - 1, row), (centre + 1, row), (centre, row - 1), (centre, row + 1)):
                grid[y][x % WIDTH] = "*"


def _draw_rainbow(grid: Grid, pose: int) -> None:
    for column in range(RAINBOW_END):
        sunk = (column // WAVE + pose) % 2
        for band, letter in enumerate(BANDS):
            top = RAINBOW_TOP + sunk + band * BAND_HEIGHT
            for row in range(top, top + BAND_HEIGHT):
                grid[row][column] = letter


def _draw_cat(grid: Grid, pose: int) -> None:
    column, row = CAT_AT
    # The feet stay on the ground; all that they carry rises by a pixel in the second pose, when they are together.
    pieces = (
        (sprite.TAILS[pose], sprite.TAIL_AT, pose),
        (sprite.FEET[pose], sprite.FEET_AT, 0),
        (sprite.BODY, sprite.BODY_AT, pose),
        (sprite.HEAD, sprite.HEAD_AT, pose),
    )
    for piece, (x, y), risen in pieces:
        _lay(grid, piece, column + x, row + y - risen)


def _lay(grid: Grid, piece: Rows, column: int, row: int) -> None:
    for y, letters in enumerate(piece, start=row):
        for x, letter in enumerate(letters, start=column):
            if letter != ".":
                grid[y][x] = letter
