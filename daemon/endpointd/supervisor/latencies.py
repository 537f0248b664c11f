"""A histogram of latencies, such as how long a plugin takes to begin its answers. A request costs one short search in a
list. Pure."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate

PLACES = 128
_SPLIT = 4
"""The number of classes per power of two. The lowest class begins at 2^-18 s (4 µs), the highest at some hours."""

_LOWEST = -18


def _start_of(place: int) -> float:
    """The lowest latency of a class, in seconds. The first class also has all lower latencies."""
    return float(2.0 ** (place // _SPLIT + _LOWEST) * (1 + place % _SPLIT / _SPLIT))


_STARTS = [_start_of(place) for place in range(1, PLACES)]


class Latencies:
    """`seconds` is the sum of all latencies, and `counts` their number in each class."""

    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.counts = [0] * PLACES

    @property
    def total(self) -> int:
        """The number of latencies."""
        return sum(self.counts)

    def add(self, seconds: float) -> None:
        self.seconds += seconds
        self.counts[place_of(seconds)] += 1


def place_of(seconds: float) -> int:
    """The class of a latency, an index into `Latencies.counts`."""
    return bisect_right(_STARTS, seconds)


def below(counts: Sequence[int], powers: range) -> list[int]:
    """The number of latencies below 2^power seconds, for each of `powers`: consecutive numbers greater than that of the
    lowest class (-18)."""
    sums = list(accumulate(counts))
    first = (powers.start - _LOWEST) * _SPLIT - 1
    return sums[first : first + _SPLIT * len(powers) : _SPLIT]


def middle_of(place: int) -> float:
    """The middle of a class, in seconds. It differs by at most an eighth from any latency of the class."""
    return float(2.0 ** (place // _SPLIT + _LOWEST) * (1 + (place % _SPLIT + 0.5) / _SPLIT))


def quantile(counts: Mapping[int, int], part: float) -> float | None:
    """The latency in seconds below which the fraction `part` of them are; None if there are none. `counts` are by
    class."""
    total = sum(counts.values())
    if not total:
        return None
    seen = 0
    for place in sorted(counts):
        seen += counts[place]
        if seen >= part * total:
            return middle_of(place)
    raise AssertionError
