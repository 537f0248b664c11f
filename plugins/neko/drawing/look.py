"""How the picture is coloured: the palettes, and the choice that the settings make among them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

# What each letter of the pixel art is. `a` to `f` are the bands of the rainbow from the top.
LETTERS = {
    "sky": ".",
    "star": "*",
    "outline": "#",
    "fur": "o",
    "stripe": "s",
    "belly": "w",
    "eye": "k",
    "blush": "p",
    "nose": "n",
}
BANDS = "abcdef"


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one scheme as `#rrggbb`; `rainbow` has one for each of `BANDS`."""

    sky: str
    star: str
    outline: str
    fur: str
    stripe: str
    belly: str
    eye: str
    blush: str
    nose: str
    rainbow: tuple[str, str, str, str, str, str]

    def by_letter(self) -> dict[str, str]:
        """The colour of every letter that a picture can hold."""
        parts = {letter: getattr(self, part) for part, letter in LETTERS.items()}
        return parts | dict(zip(BANDS, self.rainbow, strict=True))


PALETTES = {
    "night": Palette(
        sky="#1d2a54",
        star="#f7f3d7",
        outline="#2b2440",
        fur="#b9b4c7",
        stripe="#8d86a5",
        belly="#f4f1fa",
        eye="#241d35",
        blush="#ff9eb5",
        nose="#e8557a",
        rainbow=("#ff5c5c", "#ffa84c", "#ffe66d", "#6bd672", "#4cb5ff", "#a97bff"),
    ),
    "candy": Palette(
        sky="#fdf1f7",
        star="#f3a6c8",
        outline="#5b4b6b",
        fur="#ffe0b8",
        stripe="#f2b880",
        belly="#fffaf2",
        eye="#3d3048",
        blush="#ff9fb8",
        nose="#e8668a",
        rainbow=("#ffb3ba", "#ffd8a8", "#fff3b0", "#c0ebc1", "#b5dcff", "#d9c8ff"),
    ),
    "forest": Palette(
        sky="#12332b",
        star="#e9f5c9",
        outline="#1f2620",
        fur="#e0893f",
        stripe="#b5612a",
        belly="#fbead2",
        eye="#1c1f1a",
        blush="#f7b29a",
        nose="#c7493e",
        rainbow=("#e4572e", "#f3a712", "#f5e663", "#a8c686", "#4f9d8f", "#6d72c3"),
    ),
}


@dataclass(frozen=True, slots=True)
class Look:
    """What the operator chose: a palette, and whether there are stars."""

    palette: Palette
    stars: bool

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """The look for these settings; the fallbacks are for hosts that do not fill in a setting's `default`."""
        return cls(PALETTES[settings.get("scheme", "night")], settings.get("stars", True))
