"""Counts a plugin's requests and their results, at the cost of a few additions per request. Pure."""

from collections import Counter

from endpointd.supervisor.latencies import Latencies

ABORTED = "aborted"
"""In place of a class of statuses: the answer was broken off after its head."""

GONE = "gone"
"""The client left before an answer began."""

CLASSES = ("0xx", "1xx", "2xx", "3xx", "4xx", "5xx")


class Traffic:
    """`ends` counts finished requests by the class of their status, `ABORTED` or `GONE`. `refusals` counts those that
    the host answered in the plugin's place, by error code. `received` and `sent` are bytes of bodies.

    `waits` are the times in the queue, only of requests that had to wait.
    """

    __slots__ = ("ends", "received", "refusals", "sent", "times", "waits")

    def __init__(self) -> None:
        self.ends: dict[str, int] = dict.fromkeys((*CLASSES[2:], ABORTED, GONE), 0)
        self.refusals: Counter[str] = Counter()
        self.received = 0
        self.sent = 0
        self.waits = Latencies()
        self.times = Latencies()
        """From the head of a request to the end of its answer."""

    def add(self, end: str, seconds: float, received: int, sent: int) -> None:
        self.ends[end] += 1
        self.received += received
        self.sent += sent
        self.times.add(seconds)
