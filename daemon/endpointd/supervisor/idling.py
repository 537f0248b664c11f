"""Since when workers have had nothing to do. Pure: times are arguments, in seconds.

They are looked at about once a second, so that no request pays for it; what came and went between two looks is seen by
the number of requests.
"""

UNASKED = 2.0
"""Seconds after which workers are idle that were never given a request: they were started to see that they can be."""


class Idling:
    def __init__(self) -> None:
        self._team: object = None
        self._requests = 0
        self._since = 0.0

    def is_over(self, team: object, requests: int, limit: float, now: float, *, busy: bool) -> bool:
        """Whether `team`, which was given so many `requests` so far, has had nothing to do for `limit` seconds; never
        with 0."""
        if busy or team is not self._team or requests != self._requests:
            self._team, self._requests, self._since = team, requests, now
            return False
        return 0 < limit <= now - self._since + (0 if requests else max(0.0, limit - UNASKED))
