"""Finds out whether workers are idle. Pure: times are arguments, in seconds.

It is checked about once a second, so that requests have no cost. Requests that came and went between two checks are
noticed by the number of requests.
"""

UNASKED = 2.0
"""Seconds after which workers that were never given a request count as idle: they were only started to see whether they
can be."""


class Idling:
    def __init__(self) -> None:
        self._team: object = None
        self._requests = 0
        self._since = 0.0

    def is_over(self, team: object, requests: int, limit: float, now: float, *, busy: bool) -> bool:
        """Whether `team`, which was given `requests` requests so far, has been idle for `limit` seconds. Always False
        if `limit` is 0. Must be called regularly."""
        if busy or team is not self._team or requests != self._requests:
            self._team, self._requests, self._since = team, requests, now
            return False
        return 0 < limit <= now - self._since + (0 if requests else max(0.0, limit - UNASKED))
