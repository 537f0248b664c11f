"""The cat as pixel art: the pieces it is put together from, as rows of letters.

One letter is one pixel; `.` lets through what is behind. The letters are explained in `look.py`. The cat runs to the
right. Its feet have two poses and so does its tail; one pose of each is seen at a time.
"""

Rows = tuple[str, ...]

HEAD: Rows = (
    ".##......##.",
    "#op#....#po#",
    "#opp####ppo#",
    "#oooooooooo#",
    "#oowkoowkoo#",
    "#ookkookkoo#",
    "#ppoonnoopp#",
    "#ppokookopp#",
    ".#oookkooo#.",
    "..########..",
)

BODY: Rows = (
    "..##############..",
    ".#oosssoosssooooo#",
    "#ooosssoosssoooooo",
    "#oooosooosooooooo#",
    "#oooooooooooooooo#",
    "#oooooooooooooooo#",
    "#ooowwwwwwwwwoooo#",
    ".#oowwwwwwwwwooo#.",
    "..##############..",
)

TAILS: tuple[Rows, Rows] = (
    (
        ".##...",
        "#os#..",
        "#oo##.",
        ".#ooo#",
        "..####",
    ),
    (
        "......",
        ".####.",
        "#soo##",
        ".##oo#",
        "...###",
    ),
)

FEET: tuple[Rows, Rows] = (
    (
        "#o#.#o#.....#o#.#o#",
        "#o#.#o#.....#o#.#o#",
        "###.###.....###.###",
    ),
    (
        "..#o##o#...#o##o#..",
        "..#o##o#...#o##o#..",
        "..######...######..",
    ),
)

# Where each piece goes, as (column, row) from the corner of the whole cat, in the order they are laid down.
TAIL_AT = (0, 6)
BODY_AT = (5, 4)
FEET_AT = (5, 12)
HEAD_AT = (16, 2)
WIDTH = 28
HEIGHT = 15
