"""How often each client has called: a token bucket for each, in a table that has a bound. Pure.

Of a bucket one number is kept: the time at which it will be full again (the generic cell rate algorithm), which says
the same as a level and the time of its last change.
"""

from collections import OrderedDict

from endpointd.callers.rates import Rate

MOST = 50_000
"""Buckets of all endpoints together: some ten megabytes. When there are more, the one that was asked for the longest
time ago is forgotten, which is as if it were full."""


class Buckets:
    """Times are seconds of one clock that never goes back."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, endpoint: str, client: str, rate: Rate, now: float) -> float:
        """Take one token: 0, or, when there is none, the seconds until there is one."""
        interval = rate.interval
        key = (endpoint, client)
        full_at = max(self._full_at.get(key, now), now)
        # A rate that was made higher meanwhile need not wait for what the lower one has lent.
        full_at = min(full_at, now + rate.burst * interval)
        wait = full_at - now - (rate.burst - 1) * interval
        # A rounding error is no reason to refuse.
        if wait > 1e-6 * interval:
            return wait
        self._full_at[key] = full_at + interval
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return 0.0
