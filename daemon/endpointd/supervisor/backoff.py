"""How long to wait before a worker that failed is started again."""

FIRST_DELAY = 0.5
"""Seconds before the second try in a row; the first one is at once, so that a single death costs nobody a wait."""

JITTER = 0.2
"""The share of a delay by which it may be longer or shorter, so that plugins that fell together do not rise
together."""


def delay(failures: int, longest: float, chance: float) -> float:
    """Seconds to wait after `failures` (1 or more) in a row, at most `longest`; `chance` is a random number from 0 to
    1."""
    if failures <= 1:
        return 0.0
    # The exponent is bounded so that the power stays a number after a year of failures.
    plain = min(longest / (1 + JITTER), FIRST_DELAY * 2.0 ** min(failures - 2, 32))
    return plain * (1 + JITTER * (2 * chance - 1))


class Misses:
    """Tries in a row that failed, of something that nobody waits for. Times are in seconds of one clock."""

    def __init__(self) -> None:
        self._number = 0
        self._again_at = 0.0

    def add(self, now: float, longest: float, chance: float) -> None:
        """One more; `longest` and `chance` as in `delay`."""
        self._number += 1
        self._again_at = now + delay(self._number, longest, chance)

    def may_try(self, now: float) -> bool:
        return now >= self._again_at

    def forget(self) -> None:
        """One has not failed."""
        self._number = 0
