"""Counts the failed attempts of the last minute, to stop clients from guessing tokens. Pure: the clock is an argument.

Memory is bounded: at most `OF_ONE` times of failures for each of at most `CLIENTS` clients, and at most `OF_ALL` times
for all clients together.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil

WINDOW = 60.0
"""Seconds after which a failure is forgotten."""

OF_ONE = 10
"""Failures of one client within `WINDOW` after which it must wait."""

OF_ALL = 200
"""Failures of all clients together within `WINDOW` after which every client that has failed must wait."""

CLIENTS = 1024
"""The largest number of clients whose failures are kept."""


class Failures:
    """`now` returns the time of a clock in seconds, with any epoch. A client without failures may always try, however
    often others have failed; otherwise strangers could lock everyone out."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._all: deque[float] = deque(maxlen=OF_ALL)
        self._clients: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, client: str) -> int:
        """Seconds until the client may try again; 0 if it may now."""
        now = self._now()
        times = self._clients.get(client, deque())
        if not _recent(times, now):
            self._clients.pop(client, None)
            return 0
        if len(times) == OF_ONE:
            return ceil(times[0] + WINDOW - now)
        return ceil(self._all[0] + WINDOW - now) if self.are_many else 0

    @property
    def are_many(self) -> bool:
        """Whether all clients together have reached `OF_ALL` failures."""
        return len(_recent(self._all, self._now())) == OF_ALL

    def note(self, client: str) -> None:
        now = self._now()
        self._all.append(now)
        self._clients.setdefault(client, deque(maxlen=OF_ONE)).append(now)
        self._clients.move_to_end(client)
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)


def client_of(address: str) -> str:
    """The key under which failures of an address are counted: an IPv4 address, or the first 64 bits of an IPv6 address.

    Whoever has a /64 network can choose the other 64 bits at will.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return address[:64]
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{IPv6Address(int(found) >> 64 << 64)}/64"


def _recent(times: deque[float], now: float) -> deque[float]:
    while times and times[0] <= now - WINDOW:
        times.popleft()
    return times
