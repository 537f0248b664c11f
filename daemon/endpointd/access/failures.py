"""Who has failed how often in the last minute, so that nobody can go on trying. Pure: the clock is given.

All that is kept has a bound: of each client the times of its failures up to the limit, of `CLIENTS` clients, and of all
together the times up to theirs.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address
from math import ceil

WINDOW = 60.0
"""Seconds after which a failure is forgotten."""

OF_ONE = 10
"""Failures of one client."""

OF_ALL = 200
"""Failures of all clients together."""

CLIENTS = 1024


class Failures:
    """`now` gives seconds from anywhere. Who has not failed may try, however many others have: otherwise strangers
    could shut out everybody."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._all: deque[float] = deque(maxlen=OF_ALL)
        self._clients: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, client: str) -> int:
        """Seconds until the client may try again; 0: it may now."""
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
        """Whether there were as many of all clients together as there may be."""
        return len(_recent(self._all, self._now())) == OF_ALL

    def note(self, client: str) -> None:
        now = self._now()
        self._all.append(now)
        self._clients.setdefault(client, deque(maxlen=OF_ONE)).append(now)
        self._clients.move_to_end(client)
        if len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)


def client_of(address: str) -> str:
    """Who is counted as one: an IPv4 address, or the 64 bits that an IPv6 address begins with.

    The other 64 everybody can choose who has the first ones.
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
