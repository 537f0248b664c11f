"""The scene as an animated SVG: the two poses take turns, the stars pass by behind them."""

from collections import defaultdict
from itertools import groupby

from drawing.look import Look, Palette
from drawing.scene import FRAME_SECONDS, FRAMES, FRAMES_PER_POSE, HEIGHT, STARS, WIDTH, runner
from drawing.sprite import Rows

STRIDE_SECONDS = 2 * FRAMES_PER_POSE * FRAME_SECONDS
ROUND_SECONDS = FRAMES * FRAME_SECONDS

# Names start with "neko-", because an SVG that is put into a page shares its style sheet with the page.
STYLE = f"""
.neko-pose {{ animation: neko-run {STRIDE_SECONDS:g}s steps(1) infinite }}
.neko-pose + .neko-pose {{ visibility: hidden; animation-delay: -{STRIDE_SECONDS / 2:g}s }}
.neko-stars {{ animation: neko-pass {ROUND_SECONDS:g}s linear infinite }}
@keyframes neko-run {{ 0% {{ visibility: visible }} 50% {{ visibility: hidden }} }}
@keyframes neko-pass {{ to {{ transform: translateX(-{WIDTH}px) }} }}
@media (prefers-reduced-motion: reduce) {{ .neko-pose, .neko-stars {{ animation: none !important }} }}
"""


def svg(look: Look) -> str:
    """The whole picture as one document, `WIDTH` by `HEIGHT` units of no fixed size."""
    poses = "".join(f'<g class="neko-pose">{_paths(runner(pose), look.palette)}</g>' for pose in (0, 1))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" shape-rendering="crispEdges"'
        f' role="img" aria-label="A cat runs and leaves a rainbow behind"><style>{STYLE}</style>'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{look.palette.sky}"/>'
        f"{_stars(look)}{poses}</svg>"
    )


def _stars(look: Look) -> str:
    """Every star twice, a picture's width apart: when the first ones have left, the second are where those began."""
    if not look.stars:
        return ""
    places = ((column + shift, row) for shift in (0, WIDTH) for column, row in STARS)
    crosses = "".join(f"M{x - 1} {y}h3v1h-3zM{x} {y - 1}h1v3h-1z" for x, y in places)
    return f'<path class="neko-stars" fill="{look.palette.star}" d="{crosses}"/>'


def _paths(rows: Rows, palette: Palette) -> str:
    """One path for each colour, a rectangle in it for each run of equal pixels."""
    outlines: defaultdict[str, str] = defaultdict(str)
    for y, row in enumerate(rows):
        x = 0
        for letter, pixels in groupby(row):
            length = len(list(pixels))
            outlines[letter] += f"M{x} {y}h{length}v1h-{length}z"
            x += length
    del outlines["."]
    colours = palette.by_letter()
    return "".join(f'<path fill="{colours[letter]}" d="{outline}"/>' for letter, outline in outlines.items())
