"""Limits the rate of each client's requests with a token bucket, in a table of bounded size. Pure.

For each bucket, only the time is kept at which it will be full again (the generic cell rate algorithm). That is
equivalent to its level and the time of its last change.
"""

from collections import OrderedDict

from endpointd.callers.rates import Rate

MOST = 50_000
"""The largest number of buckets of all endpoints together, which use some ten megabytes. If there are more, the least
recently used one is forgotten, as if it were full."""


class Buckets:
    """Times are in seconds of a monotonic clock."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._full_at: OrderedDict[tuple[str, str], float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, endpoint: str, client: str, rate: Rate, now: float) -> float:
        """Take one token of the client's bucket at this endpoint. Returns 0, or, if there is no token, the seconds
        until there is one."""
        interval = rate.interval
        key = (endpoint, client)
        full_at = max(self._full_at.get(key, now), now)
        # If the rate was raised meanwhile, the client need not wait as long as under the previous one.
        full_at = min(full_at, now + rate.burst * interval)
        wait = full_at - now - (rate.burst - 1) * interval
        # Tolerates rounding errors.
        if wait > 1e-6 * interval:
            return wait
        self._full_at[key] = full_at + interval
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return 0.0
