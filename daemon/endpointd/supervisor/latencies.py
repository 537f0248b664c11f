"""How long a plugin takes to begin its answers: counted in classes, at the price of a short search a request. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

PLACES = 128
_SPLIT = 4
"""Classes from one power of two to the next; the lowest begins at 2^-18 s (4 µs), the highest at some hours."""

_LOWEST = -18


def _start_of(place: int) -> float:
    """The lowest latency of a class, but for the first one, which has all that is lower as well."""
    return float(2.0 ** (place // _SPLIT + _LOWEST) * (1 + place % _SPLIT / _SPLIT))


_STARTS = [_start_of(place) for place in range(1, PLACES)]


class Latencies:
    """`seconds` is their sum, `counts` how many there were of each class."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.counts = [0] * PLACES

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.counts[place_of(seconds)] += 1


def place_of(seconds: float) -> int:
    """The class of a latency."""
    return bisect_right(_STARTS, seconds)


def below(counts: Sequence[int], powers: range) -> list[int]:
    """How many were below 2^power seconds, for each of `powers`, which rise one by one from above the lowest class."""
    sums = list(accumulate(counts))
    first = (powers.start - _LOWEST) * _SPLIT - 1
    return sums[first : first + _SPLIT * len(powers) : _SPLIT]


def middle_of(place: int) -> float:
    """What stands for all latencies of a class: at most an eighth beside any of them."""
    return float(2.0 ** (place // _SPLIT + _LOWEST) * (1 + (place % _SPLIT + 0.5) / _SPLIT))


def quantile(counts: Mapping[int, int], part: float) -> float | None:
    """The latency below which `part` of them are; None when there are none."""
    total = sum(counts.values())
    if not total:
        return None
    seen = 0
    for place in sorted(counts):
        seen += counts[place]
        if seen >= part * total:
            return middle_of(place)
    raise AssertionError
