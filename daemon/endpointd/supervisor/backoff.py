"""How long to wait before a worker that failed is started again."""

FIRST_DELAY = 0.5
"""Seconds before the second retry in a row. The first one is immediate, so that nobody waits because of one failure."""

JITTER = 0.2
"""The fraction by which a delay may be longer or shorter at random, so that plugins that failed at the same time are
not restarted at the same time."""


def delay(failures: int, longest: float, chance: float) -> float:
    """Seconds to wait after `failures` failures in a row (1 or more), at most `longest`. `chance` is a random number
    from 0 to 1."""
    if failures <= 1:
        return 0.0
    # The exponent is bounded to avoid an overflow after very many failures.
    plain = min(longest / (1 + JITTER), FIRST_DELAY * 2.0 ** min(failures - 2, 32))
    return plain * (1 + JITTER * (2 * chance - 1))


class Misses:
    """Spaces out the tries of something that fails repeatedly and that nobody waits for. Times are in seconds of any
    one clock."""

    def __init__(self) -> None:
        self._number = 0
        self._again_at = 0.0

    def add(self, now: float, longest: float, chance: float) -> None:
        """Note one more failure. `longest` and `chance` are as in `delay`."""
        self._number += 1
        self._again_at = now + delay(self._number, longest, chance)

    def may_try(self, now: float) -> bool:
        return now >= self._again_at

    def forget(self) -> None:
        """Note a success."""
        self._number = 0
